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
  CR4_PAE,
  CR4_PCIDE,
  CR4_UMIP,
  EFER_LMA,
  cr0AfterLmsw,
  withTs,
} from '../control-registers';
import { VECTOR, fault, type Fault } from '../faults';
import type { FaultReason } from '../fault-reasons';
import type { Instruction } from '../instruction';
import { GPR, type Processor } from '../processor';
import { sseInUse } from '../processor-state';
import { explainXcr0 } from '../legality';
import { cr4Supported } from './cr4-bits';
import { operandFault, registerBits } from './operands';

const gp = (reason: FaultReason): Fault => fault(VECTOR.GP, reason);
const privileged = (cpu: Processor): Fault | undefined => (cpu.user ? gp('not-privileged') : undefined);

/** Instructions that need CPL 0 and are modelled no further: HLT, INVLPG, LGDT, MOV to a debug register. */
export function privilegedOnly(cpu: Processor): Fault | undefined {
  return privileged(cpu);
}

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
  if (cpu.user && cpu.control.cr4 & CR4_UMIP) return gp('umip-set');
  const cr0 = cpu.control.cr0;
  const [destination] = instruction.operands;
  if (destination.kind === 'register') {
    cpu.writeRegister(destination.number, BigInt(cr0), registerBits(destination.bytes));
    return undefined;
  }
  const refused = operandFault(cpu, instruction, 2, 'write');
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), Uint8Array.of(cr0 & 0xff, (cr0 >> 8) & 0xff));
  return undefined;
}

/** Control registers that are modelled, by their number. */
const CONTROL_REGISTERS: Readonly<Record<number, 'cr0' | 'cr4'>> = { 0: 'cr0', 4: 'cr4' };

/** True for MOV to and from control registers that are not modelled: CR2, CR3 and CR8. */
export function isUnmodelledControl({ mnemonic, operands }: Instruction): boolean {
  const moves = mnemonic === 'MOV_TO_CR' || mnemonic === 'MOV_FROM_CR';
  return (
    moves &&
    operands.some(
      (operand) => operand.kind === 'register' && operand.file === 'control' && !(operand.number in CONTROL_REGISTERS),
    )
  );
}

/** MOV from CR0 or CR4. */
export function movFromControl(cpu: Processor, { reg, rm, mode }: Instruction): Fault | undefined {
  const refused = privileged(cpu);
  if (refused) return refused;
  cpu.writeRegister(rm, BigInt(cpu.control[CONTROL_REGISTERS[reg]]), mode);
  return undefined;
}

/** MOV to CR0 or CR4. Reserved bits of CR0 below 32 stay clear, ET stays set. */
export function movToControl(cpu: Processor, { reg, rm, mode }: Instruction): Fault | undefined {
  const refused = privileged(cpu);
  if (refused) return refused;
  const register = CONTROL_REGISTERS[reg];
  const value = register === 'cr0' ? cr0Operand(cpu, cpu.register(rm, mode)) : cpu.register(rm, mode);
  const reason = register === 'cr0' ? cr0Refusal(cpu, value) : cr4Refusal(cpu, value);
  if (reason) return gp(reason);
  cpu.writeControl(register, register === 'cr0' ? (Number(value) & CR0_BITS) | CR0_ET : Number(value));
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

function cr4Refusal(cpu: Processor, value: bigint): FaultReason | undefined {
  if (value >> 32n || Number(value) & ~cr4Supported(cpu.model)) return 'cr4-reserved';
  const low = Number(value);
  const set = low & ~cpu.control.cr4;
  const changed = low ^ cpu.control.cr4;
  const longMode = (cpu.control.efer & EFER_LMA) !== 0;
  if (longMode && !(low & CR4_PAE)) return 'cr4-pae-in-long-mode';
  if (longMode && changed & CR4_LA57) return 'cr4-la57-in-long-mode';
  if (!longMode && set & CR4_PCIDE) return 'cr4-pcide';
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
  cpu.load(PKRU, new Uint8Array(BigUint64Array.of(cpu.register(GPR.rax, 32)).buffer), 'write');
  return undefined;
}
