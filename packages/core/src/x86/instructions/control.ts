/**
 * Control registers, extended control registers and PKRU.
 *
 * Source: Intel SDM Vol. 2 "MOV - Move to/from Control Registers", "LMSW", "SMSW", "CLTS", "XGETBV", "XSETBV", "RDPKRU", "WRPKRU";
 * Vol. 3A "Control Registers" (2.5); Vol. 1 "Enabling the XSAVE Feature Set" (13.3).
 */
import { PKRU } from '../components';
import {
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_CET,
  CR4_LA57,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCIDE,
  CR4_PKE,
  cr0AfterLmsw,
  withTs,
} from '../control-registers';
import { VECTOR, fault, type Fault } from '../faults';
import type { FaultReason } from '../fault-reasons';
import type { Instruction } from '../instruction';
import { GPR, type Processor } from '../processor';
import { sseInUse } from '../processor-state';
import { explainXcr0 } from '../legality';
import { operandFault } from './operands';

const gp = (reason: FaultReason): Fault => fault(VECTOR.GP, reason);
const privileged = (cpu: Processor): Fault | undefined => (cpu.user ? gp('not-privileged') : undefined);

const CR0_BITS =
  (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG) >>> 0;

/** CLTS. */
export function clts(cpu: Processor): Fault | undefined {
  const refused = privileged(cpu);
  if (refused) return refused;
  cpu.writeControl('cr0', withTs(cpu.control.cr0, false));
  return undefined;
}

/** LMSW. */
export function lmsw(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = privileged(cpu) ?? (instruction.registerForm ? undefined : operandFault(cpu, instruction, 2, 'read'));
  if (refused) return refused;
  const source = instruction.registerForm
    ? cpu.register(instruction.rm, 16)
    : BigInt(new DataView(cpu.read(cpu.operandAddress(instruction), 2).buffer).getUint16(0, true));
  cpu.writeControl('cr0', cr0AfterLmsw(cpu.control.cr0, Number(source)));
  return undefined;
}

/** SMSW: 16 bits to memory; to a register as many bits of CR0 as it has. */
export function smsw(cpu: Processor, instruction: Instruction): Fault | undefined {
  const cr0 = cpu.control.cr0;
  if (instruction.registerForm) {
    const bits = instruction.rexW ? 64 : instruction.operand16 ? 16 : 32;
    cpu.writeRegister(instruction.rm, BigInt(cr0), bits);
    return undefined;
  }
  const refused = operandFault(cpu, instruction, 2, 'write');
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), Uint8Array.of(cr0 & 0xff, (cr0 >> 8) & 0xff));
  return undefined;
}

/** MOV from CR0 or CR4. */
export function movFromControl(cpu: Processor, { reg, rm, mode }: Instruction): Fault | undefined {
  const refused = privileged(cpu);
  if (refused) return refused;
  cpu.writeRegister(rm, BigInt(reg === 4 ? cpu.control.cr4 : cpu.control.cr0), mode);
  return undefined;
}

/** MOV to CR0 or CR4. */
export function movToControl(cpu: Processor, { reg, rm, mode }: Instruction): Fault | undefined {
  const refused = privileged(cpu);
  if (refused) return refused;
  const value = cpu.register(rm, mode);
  const reason = reg === 4 ? cr4Refusal(cpu, value) : cr0Refusal(cpu, cr0Operand(cpu, value));
  if (reason) return gp(reason);
  if (reg === 4) cpu.writeControl('cr4', Number(value));
  else cpu.writeControl('cr0', (Number(cr0Operand(cpu, value)) & CR0_BITS) | CR0_ET);
  return undefined;
}

function cr0Operand(cpu: Processor, value: bigint): bigint {
  return cpu.deviates('cr0-upper-half-ignored') ? value & 0xffff_ffffn : value;
}

function cr0Refusal(cpu: Processor, value: bigint): FaultReason | undefined {
  if (value >> 32n) return 'cr0-reserved';
  const low = Number(value);
  const has = (bit: number): boolean => (low & bit) !== 0;
  if (has(CR0_PG) && !has(CR0_PE)) return 'cr0-pg-without-pe';
  if (has(CR0_NW) && !has(CR0_CD)) return 'cr0-nw-without-cd';
  if (!has(CR0_WP) && cpu.control.cr4 & CR4_CET) return 'cr0-wp-with-cet';
  return !has(CR0_PG) && cpu.state.mode === 64 ? 'cr0-pg-in-long-mode' : undefined;
}

/** CR4 bits of what a model has; the rest of CR4 is not about FPU state and every processor here has it. */
const CR4_OTHER = 0x1ff | (1 << 11) | (1 << 13) | (1 << 16) | CR4_PCIDE | (1 << 20) | (1 << 21);

function cr4Refusal(cpu: Processor, value: bigint): FaultReason | undefined {
  const { features, cpuid } = cpu.model;
  const [, , ecx7 = 0] = cpuid['7.0'] ?? [];
  const [, , ecx1 = 0] = cpuid['1.0'] ?? [];
  const offered = (present: boolean, bits: number): number => (present ? bits : 0);
  const supported =
    CR4_OTHER |
    offered(features.includes('fxsr'), CR4_OSFXSR) |
    offered(features.includes('sse'), CR4_OSXMMEXCPT) |
    offered(features.includes('xsave'), CR4_OSXSAVE) |
    offered(features.includes('pku'), CR4_PKE) |
    offered(features.includes('cet'), CR4_CET) |
    offered(features.includes('uintr'), 1 << 25) |
    offered((ecx7 & (1 << 16)) !== 0, CR4_LA57) |
    offered((ecx1 & (1 << 6)) !== 0, 1 << 14);
  if (value >> 32n || Number(value) & ~supported) return 'cr4-reserved';
  const low = Number(value);
  const changes = low ^ cpu.control.cr4;
  if (!(low & CR4_PAE)) return 'cr4-pae-in-long-mode';
  if (changes & CR4_LA57) return 'cr4-la57-in-long-mode';
  return low & CR4_CET && !(cpu.control.cr0 & CR0_WP) ? 'cr4-cet-without-wp' : undefined;
}

/** XGETBV: XCR0, or with ECX = 1 what of it is in use. */
export function xgetbv(cpu: Processor): Fault | undefined {
  const index = cpu.register(GPR.rcx, 32);
  if (index === 0n) cpu.writeEdxEax(BigInt(cpu.control.xcr0));
  else if (index === 1n && cpu.model.features.includes('xgetbv1')) cpu.writeEdxEax(BigInt(xinuse(cpu)));
  else return gp('xcr-index');
  return undefined;
}

/** XCR0 and XINUSE as XGETBV(1) returns it: SSE counts MXCSR too (SDM Vol. 1, 13.6). */
export function xinuse(cpu: Processor): number {
  return cpu.control.xcr0 & (cpu.inUse() | sseInUse(cpu.state.mxcsr));
}

/** XSETBV. */
export function xsetbv(cpu: Processor): Fault | undefined {
  const refused = privileged(cpu);
  if (refused) return refused;
  if (cpu.register(GPR.rcx, 32) !== 0n) return gp('xcr-index');
  const value = cpu.edxEax();
  const [illegal] = explainXcr0(cpu.model, value);
  if (illegal) return gp(illegal.code);
  cpu.writeControl('xcr0', Number(value));
  return undefined;
}

/** RDPKRU. */
export function rdpkru(cpu: Processor): Fault | undefined {
  if (cpu.register(GPR.rcx, 32) !== 0n) return gp('pkru-ecx');
  cpu.writeEdxEax(BigInt(cpu.pkru));
  return undefined;
}

/** WRPKRU. */
export function wrpkru(cpu: Processor): Fault | undefined {
  if (cpu.register(GPR.rcx, 32) !== 0n) return gp('pkru-ecx');
  if (cpu.register(GPR.rdx, 32) !== 0n) return gp('pkru-edx');
  cpu.load(PKRU, new Uint8Array(BigUint64Array.of(cpu.register(GPR.rax, 32)).buffer));
  return undefined;
}
