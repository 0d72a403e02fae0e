/** RDMSR and WRMSR of what FPU state consists of: IA32_XSS, IA32_XFD, IA32_XFD_ERR, EFER, and the MSRs of supervisor components. */
import { COMPONENTS } from '../components';
import { EFER_FFXSR, EFER_LMA, EFER_LME } from '../control-registers';
import { VECTOR, fault, type Fault } from '../faults';
import type { Instruction } from '../instruction';
import { explainXss } from '../legality';
import { GPR, type Processor } from '../processor';
import { hasLongMode, type ControlState } from '../processor-state';
import { componentOfMsr, isRefusedByMsr, withoutUif } from './supervisor-state';

const CONTROL_MSRS: Readonly<Record<number, keyof ControlState>> = {
  0x1c4: 'xfd',
  0x1c5: 'xfdErr',
  0xda0: 'xss',
  0xc0000080: 'efer',
};

/** RDMSR. */
export function rdmsr(cpu: Processor): Fault | undefined {
  if (cpu.user) return fault(VECTOR.GP, 'not-privileged');
  const value = readMsr(cpu, Number(cpu.register(GPR.rcx, 32)));
  if (value === undefined) return fault(VECTOR.GP, 'no-such-msr');
  cpu.writeEdxEax(value);
  return undefined;
}

/** WRMSR. */
export function wrmsr(cpu: Processor): Fault | undefined {
  if (cpu.user) return fault(VECTOR.GP, 'not-privileged');
  const msr = Number(cpu.register(GPR.rcx, 32));
  const value = cpu.edxEax();
  if (readMsr(cpu, msr) === undefined) return fault(VECTOR.GP, 'no-such-msr');
  if (msr in CONTROL_MSRS) return writeControlMsr(cpu, CONTROL_MSRS[msr], value);
  if (isRefusedByMsr(cpu.model, msr, value)) return fault(VECTOR.GP, 'msr-reserved');
  writeComponentMsr(cpu, msr, value);
  return undefined;
}

/** True for RDMSR and WRMSR of an MSR that is not modelled: whether the processor has it is not known here. */
export function isUnmodelledMsr(cpu: Processor, { mnemonic }: Instruction): boolean {
  if (mnemonic !== 'RDMSR' && mnemonic !== 'WRMSR') return false;
  const msr = Number(cpu.register(GPR.rcx, 32));
  return !(msr in CONTROL_MSRS) && componentOfMsr(msr) === undefined;
}

/** The value of an MSR; undefined where the processor, as it is modelled, has none. */
export function readMsr(cpu: Processor, msr: number): bigint | undefined {
  if (msr in CONTROL_MSRS) {
    const register = CONTROL_MSRS[msr];
    return hasControlMsr(cpu, register) ? BigInt(cpu.control[register]) : undefined;
  }
  const place = componentOfMsr(msr);
  if (!place || !cpu.model.features.includes(COMPONENTS[place.bit].feature)) return undefined;
  const bytes = cpu.component(place.bit);
  return withoutUif(msr, new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(place.offset, true));
}

function hasControlMsr({ model }: Processor, register: keyof ControlState): boolean {
  if (register === 'xss') return model.features.includes('xsaves');
  return register === 'efer' ? hasLongMode(model) : model.features.includes('xfd');
}

/**
 * IA32_XSS takes what leaf 0DH enumerates, IA32_XFD and IA32_XFD_ERR the components that can be disabled.
 *
 * @see Intel SDM Vol. 1 "Extended Feature Disable" (13.14)
 */
function writeControlMsr(cpu: Processor, register: keyof ControlState, value: bigint): Fault | undefined {
  if (register === 'xss') {
    const [illegal] = explainXss(cpu.model, value);
    if (illegal) return fault(VECTOR.GP, illegal.code);
  } else if (register === 'efer') {
    if (value & ~BigInt(EFER_BITS | (cpu.model.features.includes('ffxsr') ? EFER_FFXSR : 0)))
      return fault(VECTOR.GP, 'msr-reserved');
    return changeEfer(cpu, Number(value));
  } else {
    const disableable = cpu.model.components.reduce((mask, { bit, xfd }) => (xfd ? mask | (1 << bit) : mask), 0);
    if (value & ~BigInt(disableable)) return fault(VECTOR.GP, 'xfd-not-supported');
  }
  cpu.writeControl(register, Number(value));
  return undefined;
}

/** EFER.SCE, LME, LMA and NXE; FFXSR where the processor has it. SVME and AMD's others are not modelled. */
const EFER_BITS = 0xd01;

/** LME cannot change while paging is on (execution without paging is not modelled); LMA follows paging and is not written. */
function changeEfer(cpu: Processor, value: number): Fault | undefined {
  const { efer } = cpu.control;
  if ((value ^ efer) & EFER_LME) return fault(VECTOR.GP, 'msr-reserved');
  cpu.writeControl('efer', (value & ~EFER_LMA) | (efer & EFER_LMA));
  return undefined;
}

function writeComponentMsr(cpu: Processor, msr: number, value: bigint): void {
  const place = componentOfMsr(msr);
  if (!place) throw new Error('fpulab bug: an MSR of no component');
  const bytes = cpu.component(place.bit).slice();
  const view = new DataView(bytes.buffer);
  const kept = view.getBigUint64(place.offset, true);
  view.setBigUint64(place.offset, value | (kept & ~withoutUif(msr, kept)), true);
  cpu.load(place.bit, bytes, 'write');
}
