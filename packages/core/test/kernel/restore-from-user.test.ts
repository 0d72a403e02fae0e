import {
  HEADER,
  INIT,
  MOVE_INSTRUCTIONS,
  avx,
  frame,
  firstDriver,
  scriptDriver,
  step,
  syscall,
  valueId,
  x87,
  type ChoiceDriver,
  type Interference,
  type MachineEvent,
  type Operation,
  type Schedule,
  type UserRestore,
} from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';
import { CLEAR_TS, answering, dataOf, machineOf } from '../support/machines';
import { enabledNames } from '../support/requests';

const XSAVE = { instruction: 'xsave' } as const;
const XRSTOR = MOVE_INSTRUCTIONS.indexOf('XRSTOR');
/** A's values: of AVX (SSE and AVX components), then of x87. */
const [VECTORS, STACK] = [valueId(1, 1), valueId(1, 2)];
/** A's signal frame lies behind the images of A and of the idle task. */
const FRAME = 2;

/** A puts values into all components and gets a signal; its kernel saves them, clears the registers and restores them. */
function restoring({
  page,
  fault,
  userFaults,
  handler = [],
  cpu = 'sandybridge',
}: {
  /** Of the restore; what comes before finds its pages. */
  readonly page?: string;
  readonly fault?: string;
  readonly userFaults?: boolean;
  readonly handler?: readonly Operation[];
  readonly cpu?: string;
}): { seen: readonly MachineEvent[]; registers: readonly number[]; outcome: UserRestore | undefined } {
  let outcome: UserRestore | undefined;
  const policy = answering({
    'cpu-up': CLEAR_TS,
    'signal-save': [step('save', (k) => void k.saveToUser(), XSAVE)],
    'signal-clear': [step('clear', (k) => k.initFpregs(), XSAVE)],
    'signal-restore': [
      step(
        'restore',
        (k) => {
          outcome = k.restoreFromUser();
        },
        XSAVE,
      ),
    ],
  });
  const interference: Interference = userFaults === undefined ? {} : { userFaults };
  const writes = cpu === 'sandybridge' ? [avx.write(), x87.write()] : [x87.write()];
  const schedule: Schedule = {
    ...(page === undefined ? {} : { page: ['there', 'there', page] }),
    ...(fault === undefined ? {} : { fault: [fault] }),
  };
  const machine = machineOf({
    tasks: { A: [...writes, syscall('raise')] },
    handlers: { A: handler },
    interference,
    policy,
    compose: { cpu, choices: scriptDriver(schedule) },
  });
  const { words, at } = machine.state;
  const seen: MachineEvent[] = [];
  let registers: readonly number[] = [];
  machine.events$.subscribe((event) => {
    if (event.type === 'signal.frame-returned') seen.length = 0;
    seen.push(event);
    if (event.type === 'signal.handler-left') registers = [...words.slice(at.fpregs, at.fpregs + at.components)];
  });
  machine.run();
  return { seen, registers, outcome };
}

describe('a restore from user memory', () => {
  const image = { cpu: 0, fpstate: FRAME, bytes: 832, instruction: XRSTOR };

  it.each([undefined, false])(
    'loads everything where nothing faults (userFaults: %s), and asks nobody',
    (userFaults) => {
      const { seen, registers, outcome } = restoring(userFaults === undefined ? {} : { userFaults });
      expect(dataOf(seen, 'choice.made')).toEqual([]);
      expect(dataOf(seen, 'fpregs.restored')).toEqual([{ ...image, xfeatures: 0b111 }]);
      expect(registers).toEqual([STACK, VECTORS, VECTORS]);
      expect(outcome).toBe('ok');
    },
  );

  it('loads everything when it does not fault: the first alternative', () => {
    const { seen, registers, outcome } = restoring({ userFaults: true });
    expect(dataOf(seen, 'choice.made')).toEqual([
      { kind: 7, taken: 0, index: 0, count: 2, enabled: expect.any(Number) as number },
    ]);
    expect(dataOf(seen, 'fpregs.restored')).toEqual([{ ...image, xfeatures: 0b111 }]);
    expect(registers).toEqual([STACK, VECTORS, VECTORS]);
    expect(outcome).toBe('ok');
  });

  it.each([
    ['none', 0b000, 0, [INIT, INIT, INIT]],
    ['x87', 0b001, 1, [STACK, INIT, INIT]],
    ['sse', 0b010, 2, [INIT, VECTORS, INIT]],
    ['x87+sse', 0b011, 3, [STACK, VECTORS, INIT]],
    ['avx', 0b100, 4, [INIT, INIT, VECTORS]],
    ['x87+avx', 0b101, 5, [STACK, INIT, VECTORS]],
    ['sse+avx', 0b110, 6, [INIT, VECTORS, VECTORS]],
  ])('that faults after it loaded %s leaves that in the registers', (fault, mask, index, expected) => {
    const { seen, registers, outcome } = restoring({ userFaults: true, page: 'missing', fault });
    expect(dataOf(seen, 'choice.made')).toEqual([
      { kind: 7, taken: 1, index: 1, count: 2, enabled: expect.any(Number) as number },
      { kind: 4, taken: mask, index, count: 7, enabled: expect.any(Number) as number },
    ]);
    expect(dataOf(seen, 'fpregs.restored')).toEqual(mask === 0 ? [] : [{ ...image, xfeatures: mask }]);
    expect(registers).toEqual(expected);
    expect(outcome).toBe('page-fault');
  });

  it('names what had been loaded by the components; FRSTOR loads all or nothing', () => {
    const asked: (readonly string[])[] = [];
    const choices: ChoiceDriver = {
      ...firstDriver(),
      choose(request) {
        asked.push(enabledNames(request));
        return request.count - 1;
      },
    };
    const policy = answering({
      exec: [step('restore', (k) => void k.restoreFromUser(), XSAVE)],
      'cpu-up': CLEAR_TS,
      'signal-save': [],
      'signal-clear': [],
      'signal-restore': [],
    });
    const asking = (cpu: string): void => {
      const tasks = { A: [] };
      machineOf({
        tasks,
        handlers: tasks,
        interference: { userFaults: true },
        policy,
        compose: { cpu, choices },
      }).run();
    };
    asking('sandybridge');
    asking('pentium-mmx');
    expect(asked).toEqual([
      ['there', 'missing'],
      ['none', 'x87', 'sse', 'x87+sse', 'avx', 'x87+avx', 'sse+avx'],
      ['there', 'missing'],
    ]);
  });

  it('raises #GP where the header has reserved bits set, and loads nothing', () => {
    const { seen, registers, outcome } = restoring({ handler: [frame('forged')] });
    expect(dataOf(seen, 'fpregs.restored')).toEqual([]);
    expect([registers, outcome]).toEqual([[INIT, INIT, INIT], 'general-protection']);
  });

  it('faults for ever where the memory is gone', () => {
    const { registers, outcome } = restoring({ handler: [frame('unmapped')] });
    expect([registers, outcome]).toEqual([[INIT, INIT, INIT], 'page-fault']);
  });

  it('of a frame without magic asks for x87 and SSE; the others return to INIT by the ABI', () => {
    const { seen } = restoring({ handler: [frame('fx-only')] });
    expect(HEADER.fxOnly).toBe(1);
    const machine = seen.find(({ type }) => type === 'signal.frame-returned');
    expect(machine?.data).toEqual({ cpu: 0, task: 0, restored: 0b011, initialised: 0b100 });
  });

  it('is an FPU instruction, and its step has to say so: FPU209', () => {
    const policy = answering({ exec: [step('undeclared', (k) => void k.restoreFromUser())] });
    const error = fpuErrorOf(() => machineOf({ tasks: { A: [] }, policy }).run());
    expect(error.code).toBe('FPU209');
    expect(error.message).toContain("the step 'test.exec/undeclared' loads registers");
  });
});
