/** Bare metal: the platform that intercepts nothing. */
import { CR0_EM, CR0_TS, cr0AfterLmsw, withTs, type Cr0Access, type Platform } from '@fpulab/core';

const insn: Cr0Access['insn'] = {
  movFrom: (k) => k.realCr0,
  movTo: (k, value) => k.setRealCr0(value),
  clts: (k) => k.setRealCr0(withTs(k.realCr0, false)),
  lmsw: (k, value) => k.setRealCr0(cr0AfterLmsw(k.realCr0, value)),
  smsw: (k) => k.realCr0 & 0xffff,
};

/** The processor without a hypervisor. CR0.TS is sticky: #NM leaves it set. */
export function bareMetal(): Platform {
  return {
    kind: 'platform',
    id: 'bare-metal',
    title: 'bare metal',
    source:
      'Intel SDM Vol. 3A "Control Registers" (2.5) and "Interrupt 7 - Device Not Available Exception (#NM)" (6.15)',
    slots: [],
    routines: [],
    hooks: {},
    roles: {},
    cr0: { pv: { read: insn.movFrom, write: insn.movTo, clts: insn.clts }, insn },
    trapsUserFpu: (k) => (k.realCr0 & (CR0_TS | CR0_EM)) !== 0,
    registersLive: () => true,
  };
}
