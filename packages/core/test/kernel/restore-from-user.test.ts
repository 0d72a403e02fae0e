import {
  INIT,
  MOVE_INSTRUCTIONS,
  NO_FAULT,
  avx,
  firstDriver,
  scriptDriver,
  step,
  syscall,
  valueId,
  x87,
  type ChoiceDriver,
  type Interference,
  type MachineEvent,
} from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';
import { CLEAR_TS, answering, dataOf, idleStep, machineOf } from '../support/machines';
import { enabledNames } from '../support/requests';

const XSAVE = { instruction: 'xsave' } as const;
const XRSTOR = MOVE_INSTRUCTIONS.indexOf('XRSTOR');
/** A's values: of AVX (SSE and AVX components), then of x87. */
const [VECTORS, STACK] = [valueId(1, 1), valueId(1, 2)];

/** A puts values into all components; its kernel saves them, clears the registers and restores them, which may fault. */
function restoring({
  fault,
  userFaults,
  cpu = 'sandybridge',
}: {
  readonly fault?: string;
  readonly userFaults?: boolean;
  readonly cpu?: string;
}): { seen: readonly MachineEvent[]; registers: readonly number[]; complete: number } {
  const policy = answering({
    'cpu-up': CLEAR_TS,
    'kernel-fpu-begin': [
      step('save', (k) => void k.save(k.fpstateOf(k.task)), XSAVE),
      step('clear', (k) => k.initFpregs(), XSAVE),
      step('restore', (k) => k.setLocal(0, k.restoreFromUser(k.fpstateOf(k.task)) ? 1 : 2), XSAVE),
      idleStep('end'),
    ],
  });
  const interference: Interference = userFaults === undefined ? {} : { userFaults };
  const writes = cpu === 'sandybridge' ? [avx.write(), x87.write()] : [x87.write()];
  const choices = scriptDriver(fault === undefined ? {} : { fault: [fault] });
  const machine = machineOf({
    tasks: { A: [...writes, syscall('kernel_fpu')] },
    interference,
    policy,
    compose: { cpu, choices },
  });
  const { words, at } = machine.state;
  const seen: MachineEvent[] = [];
  let registers: readonly number[] = [];
  let complete = 0;
  machine.events$.subscribe((event) => {
    if (event.type === 'fpregs.initialised') seen.length = 0;
    seen.push(event);
    if (event.type !== 'local.written' || event.by !== 'quiet') return;
    registers = [...words.slice(at.fpregs, at.fpregs + at.components)];
    complete = event.data.value;
  });
  machine.run();
  return { seen, registers, complete };
}

describe('a restore from user memory', () => {
  const image = { cpu: 0, fpstate: 0, bytes: 832, instruction: XRSTOR };

  it.each([undefined, false])(
    'loads everything where nothing faults (userFaults: %s), and asks nobody',
    (userFaults) => {
      const { seen, registers, complete } = restoring(userFaults === undefined ? {} : { userFaults });
      expect(dataOf(seen, 'choice.made')).toEqual([]);
      expect(dataOf(seen, 'fpregs.restored')).toEqual([{ ...image, xfeatures: 0b111 }]);
      expect(registers).toEqual([STACK, VECTORS, VECTORS]);
      expect(complete).toBe(1);
    },
  );

  it('loads everything when it does not fault: the first alternative', () => {
    const { seen, registers, complete } = restoring({ userFaults: true });
    expect(dataOf(seen, 'choice.made')).toEqual([
      { kind: 4, taken: NO_FAULT, index: 0, count: 8, enabled: expect.any(Number) as number },
    ]);
    expect(dataOf(seen, 'fpregs.restored')).toEqual([{ ...image, xfeatures: 0b111 }]);
    expect(registers).toEqual([STACK, VECTORS, VECTORS]);
    expect(complete).toBe(1);
  });

  it.each([
    ['x87', 0b001, 2, [STACK, INIT, INIT]],
    ['sse', 0b010, 3, [INIT, VECTORS, INIT]],
    ['x87+sse', 0b011, 4, [STACK, VECTORS, INIT]],
    ['avx', 0b100, 5, [INIT, INIT, VECTORS]],
    ['x87+avx', 0b101, 6, [STACK, INIT, VECTORS]],
    ['sse+avx', 0b110, 7, [INIT, VECTORS, VECTORS]],
  ])('that faults after it loaded %s leaves that in the registers', (fault, mask, index, expected) => {
    const { seen, registers, complete } = restoring({ userFaults: true, fault });
    expect(dataOf(seen, 'choice.made')).toEqual([
      { kind: 4, taken: mask, index, count: 8, enabled: expect.any(Number) as number },
    ]);
    expect(dataOf(seen, 'fpregs.restored')).toEqual([{ ...image, xfeatures: mask }]);
    expect(registers).toEqual(expected);
    expect(complete).toBe(2);
  });

  it('that faults before it loaded anything restores nothing: there is no event', () => {
    const { seen, registers, complete } = restoring({ userFaults: true, fault: 'none' });
    expect(dataOf(seen, 'choice.made')).toEqual([
      { kind: 4, taken: 0, index: 1, count: 8, enabled: expect.any(Number) as number },
    ]);
    expect(dataOf(seen, 'fpregs.restored')).toEqual([]);
    expect(registers).toEqual([INIT, INIT, INIT]);
    expect(complete).toBe(2);
  });

  it('chooses by name: complete, or what had been loaded', () => {
    const asked: (readonly string[])[] = [];
    const choices: ChoiceDriver = {
      ...firstDriver(),
      choose(request) {
        asked.push(enabledNames(request));
        return 0;
      },
    };
    const policy = answering({ exec: [step('restore', (k) => void k.restoreFromUser(0), XSAVE)], 'cpu-up': CLEAR_TS });
    const asking = (cpu: string): void => {
      machineOf({ tasks: { A: [] }, interference: { userFaults: true }, policy, compose: { cpu, choices } }).run();
    };
    asking('sandybridge');
    asking('pentium-mmx');
    expect(asked).toEqual([
      ['complete', 'none', 'x87', 'sse', 'x87+sse', 'avx', 'x87+avx', 'sse+avx'],
      ['complete', 'none'],
    ]);
  });

  it('of an FRSTOR loads everything or nothing', () => {
    const { registers, complete } = restoring({ userFaults: true, fault: 'none', cpu: 'pentium-mmx' });
    expect([registers, complete]).toEqual([[INIT], 2]);
    const whole = restoring({ userFaults: true, cpu: 'pentium-mmx' });
    expect([whole.registers, whole.complete]).toEqual([[valueId(1, 1)], 1]);
  });

  it('is an FPU instruction, and its step has to say so: FPU209', () => {
    const policy = answering({ exec: [step('undeclared', (k) => void k.restoreFromUser(0))] });
    const error = fpuErrorOf(() => machineOf({ tasks: { A: [] }, policy }).run());
    expect(error.code).toBe('FPU209');
    expect(error.message).toContain("the step 'test.exec/undeclared' loads registers");
  });
});
