/** General registers and how code starts: Intel SDM Vol. 1 "General-Purpose Registers in 64-Bit Mode" (3.4.1.1). */
import { Memory, Processor, apply, bootState, cpuModel, execute, type ProcessorEvent } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { CODE_BASE, hex, run } from '../../support/processor';

describe('a write of part of a general register', () => {
  it.each([
    ['mov al, 5', 'b005', 0x1122_3344_5566_7705n],
    ['mov ah, 5', 'b405', 0x1122_3344_5566_0588n],
    ['mov ax, 5', '66b80500', 0x1122_3344_5566_0005n],
    ['mov eax, 5', 'b805000000', 5n],
    ['mov al, ah', '88e0', 0x1122_3344_5566_7777n],
    ['mov ah, al', '88c4', 0x1122_3344_5566_8888n],
  ])('%s: 32 bits clear the upper half, 8 and 16 leave the rest', (_, code, expected) => {
    expect(run({ code, registers: { rax: 0x1122_3344_5566_7788n } }).state.registers[0]).toBe(expected);
  });

  it('with REX numbers 4 to 7 are SPL, BPL, SIL and DIL', () => {
    const { registers } = run({ code: '40b405', registers: { rax: 0n, rsp: 0x1122n } }).state; // mov spl, 5
    expect([registers[0], registers[4]]).toEqual([0n, 0x1105n]);
  });
});

describe('instructions whose results are not modelled', () => {
  const ARITHMETIC_FLAGS = 0x8d5n;

  it.each([
    ['blsr eax, ecx', 'c4e278f3c9', 1 << 0, ARITHMETIC_FLAGS],
    ['mulx eax, ecx, edx', 'c4e273f6c2', (1 << 0) | (1 << 1), 0n],
    ['prefetchw [rcx]', '0f0d09', 0, 0n],
    ['lfence', '0faee8', 0, 0n],
  ])('%s', (_, code, registers, flags) => {
    const { state } = run({ code, cpu: 'zen4' });
    expect([state.undetermined.registers, state.undetermined.flags]).toEqual([registers, flags]);
  });
});

describe('execution', () => {
  it('starts at its base, by an event: whatever RIP was, a replay has the pointers of x87', () => {
    const model = cpuModel('zen2');
    const [state, copy] = [0, 1].map(() => bootState(model, new Memory([]), { rip: 7n }));
    const events: ProcessorEvent[] = [];
    const cpu = new Processor(model, state);
    cpu.events$.subscribe((event) => events.push(event));
    execute(cpu, { base: CODE_BASE, bytes: hex(CODE.FLD1) });
    expect(events[0]).toEqual({ type: 'execution-started', at: CODE_BASE });
    for (const event of events) apply(copy, event);
    expect(copy).toEqual(state);
    expect([state.rip, state.x87.fip]).toEqual([CODE_BASE + 2n, CODE_BASE]);
  });
});

describe('after boot', () => {
  it.each([
    ['pentium-mmx', 32, 0, 0],
    ['pentium-iii', 32, 0x600, 0],
    ['nehalem', 64, 0x620, 0x500],
    ['zen4', 64, 0x4_0620, 0x500],
  ])('%s runs %i-bit code, with what it has of CR4 and EFER', (cpu, mode, cr4, efer) => {
    const { state } = run({ cpu, code: '' });
    expect([state.mode, state.control.cr4, state.control.efer]).toEqual([mode, cr4, efer]);
  });
});
