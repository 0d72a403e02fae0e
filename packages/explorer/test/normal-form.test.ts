import {
  CONTEXT,
  LOCALS,
  PRINCIPAL,
  SSE,
  X87,
  compose,
  fork,
  principalOfTask,
  program,
  sse,
  syscall,
  valueId,
  type Machine,
  type Platform,
  type Scenario,
  type TaskSpec,
} from '@fpulab/core';
import { bareMetal, xenHvm } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import { NormalForm, STALE, kernelValueFrame } from '../src/normal-form';

const LATEST = 1;
const FRESH = 0x80000;
/** What a value is called that is not its writer's latest, but what task `heir` inherited. */
const inheritedBy = (heir: number): number => 2 + heir;

function machineWith(tasks: readonly TaskSpec[], platform: () => Platform = bareMetal): Machine {
  const scenario: Scenario = {
    id: 'values',
    title: 'values',
    tasks,
    interference: {},
    oracles: [],
    schedule: {},
    sometimes: [],
    cpu: 'pentium-iii',
    cpus: 1,
    stepsMax: 1000,
  };
  const machine = compose({ platform: platform(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario });
  machine.boot();
  return machine;
}

const TWO = ['A', 'B'].map((name) => ({ name, program: program(sse.write(), syscall('kernel_fpu')) }));
const FAMILY = [
  { name: 'A', program: program(sse.write(), fork('B')) },
  { name: 'B', program: program(sse.read()), unborn: true },
  { name: 'C', program: program(sse.read()), unborn: true },
];

/** Words of a component: `latest(task)`, `image(fpstate)`, `fpregs(cpu)`. */
function placesIn(machine: Machine, component: number) {
  const { at } = machine.state;
  const index = at.indexOfBit[component];
  return {
    latest: (task: number) => at.architectural + task * at.components + index,
    image: (fpstate: number) => at.image + fpstate * at.components + index,
    fpregs: at.fpregs + index,
  };
}

const valueOf = (task: number, serial: number): number => valueId(principalOfTask(task), serial);

it('a value is its latest, or stale', () => {
  const machine = machineWith(TWO);
  const { words } = machine.state;
  const { latest, image, fpregs } = placesIn(machine, SSE);
  words[latest(0)] = valueOf(0, 77);
  words[latest(1)] = valueOf(1, 5);
  words[fpregs] = valueOf(0, 77);
  words[image(0)] = valueOf(0, 76);
  words[image(1)] = valueOf(0, 3);
  words[image(2)] = valueOf(1, 5);
  new NormalForm(machine.state, machine.probe()).normalise();
  expect(words[latest(0)]).toBe(valueOf(0, LATEST));
  expect(words[latest(1)]).toBe(valueOf(1, LATEST));
  expect(words[fpregs]).toBe(valueOf(0, LATEST));
  expect(words[image(0)]).toBe(valueOf(0, STALE));
  expect(words[image(1)]).toBe(valueOf(0, STALE));
  expect(words[image(2)]).toBe(valueOf(1, LATEST));
});

it('components are apart: one can be stale while another is the latest', () => {
  const machine = machineWith(TWO);
  const { words } = machine.state;
  const [x87, xmm] = [placesIn(machine, X87), placesIn(machine, SSE)];
  words[x87.latest(0)] = valueOf(0, 9);
  words[xmm.latest(0)] = valueOf(0, 8);
  words[x87.fpregs] = valueOf(0, 8);
  words[xmm.fpregs] = valueOf(0, 8);
  new NormalForm(machine.state, machine.probe()).normalise();
  expect([words[x87.fpregs], words[xmm.fpregs]]).toEqual([valueOf(0, STALE), valueOf(0, LATEST)]);
});

it('INIT and the values of another guest stay', () => {
  const machine = machineWith(TWO);
  const { words } = machine.state;
  const { latest, image, fpregs } = placesIn(machine, SSE);
  words[fpregs] = valueId(PRINCIPAL.otherGuest, 1);
  words[image(0)] = valueOf(0, 4); // after its execve()
  new NormalForm(machine.state, machine.probe()).normalise();
  expect([words[fpregs], words[latest(0)], words[image(0)]]).toEqual([
    valueId(PRINCIPAL.otherGuest, 1),
    0,
    valueOf(0, STALE),
  ]);
});

it('what a child inherited is the parent’s latest until the parent writes, then the child’s', () => {
  const machine = machineWith(FAMILY);
  const { words } = machine.state;
  const { latest, image, fpregs } = placesIn(machine, SSE);
  const form = new NormalForm(machine.state, machine.probe());
  for (const place of [latest(0), latest(1), image(1), fpregs]) words[place] = valueOf(0, 30);
  form.normalise();
  for (const place of [latest(0), latest(1), image(1), fpregs]) expect(words[place]).toBe(valueOf(0, LATEST));

  words[latest(0)] = words[fpregs] = valueOf(0, 31);
  words[latest(2)] = words[image(2)] = valueOf(0, LATEST); // a brother of B has it too
  words[image(0)] = valueOf(0, 29);
  form.normalise();
  expect([words[latest(0)], words[fpregs]]).toEqual([valueOf(0, LATEST), valueOf(0, LATEST)]);
  for (const place of [latest(1), image(1), latest(2), image(2)]) expect(words[place]).toBe(valueOf(0, inheritedBy(1)));
  expect(words[image(0)]).toBe(valueOf(0, STALE));
});

it('without fork nobody inherits', () => {
  const machine = machineWith(TWO);
  const { words } = machine.state;
  const { latest } = placesIn(machine, SSE);
  words[latest(0)] = valueOf(0, 31);
  words[latest(1)] = valueOf(0, 30);
  new NormalForm(machine.state, machine.probe()).normalise();
  expect(words[latest(1)]).toBe(valueOf(0, STALE));
});

it('values of kernel sections are named after the frames that remember them', () => {
  const machine = machineWith(TWO);
  const { words, at } = machine.state;
  const { image, fpregs } = placesIn(machine, SSE);
  const pcOf = (label: string): number => machine.stepLabels.indexOf(label);
  const push = (task: number, frame: number, label: string, status: number, value: number): number => {
    const index = task * at.stackDepth + frame;
    words[at.depth + task] = frame + 1;
    words[at.framePc + index] = pcOf(label);
    words[at.frameStatus + index] = status;
    words[at.frameLocal + index * LOCALS + 1] = value;
    return at.frameLocal + index * LOCALS + 1;
  };
  const kernel = (serial: number): number => valueId(PRINCIPAL.kernel, serial);
  push(1, 0, '', CONTEXT.user, 0);
  const outer = push(1, 1, 'sys_kernel_fpu/kernel FPU section/use the result', CONTEXT.syscall, kernel(50));
  const inner = push(1, 2, 'do_IRQ/kernel FPU section/use the result', CONTEXT.hardirq, kernel(51));
  words[fpregs] = kernel(51);
  words[image(0)] = kernel(50);
  words[image(1)] = kernel(49);
  new NormalForm(machine.state, machine.probe()).normalise();
  const frame = (number: number): number => at.stackDepth + number;
  expect([words[outer], words[inner]]).toEqual([kernel(frame(1) + 1), kernel(frame(2) + 1)]);
  expect([words[fpregs], words[image(0)], words[image(1)]]).toEqual([
    kernel(frame(2) + 1),
    kernel(frame(1) + 1),
    kernel(STALE),
  ]);
  expect([words[fpregs], words[image(0)], words[image(1)]].map(kernelValueFrame)).toEqual([frame(2), frame(1), -1]);
});

it('writers count on behind every name, and a second time changes nothing', () => {
  const machine = machineWith(FAMILY);
  const { words, at } = machine.state;
  const { latest, fpregs } = placesIn(machine, SSE);
  words[latest(0)] = valueOf(0, 31);
  words[fpregs] = valueOf(0, 30);
  words[at.serial] = 31;
  words[at.kernelSerial] = 12;
  const form = new NormalForm(machine.state, machine.probe());
  form.normalise();
  expect([...words.subarray(at.serial, at.serial + at.tasks)]).toEqual(Array.from({ length: at.tasks }, () => FRESH));
  expect(words[at.kernelSerial]).toBe(FRESH);
  const once = words.slice();
  form.normalise();
  expect(words).toEqual(once);
});

describe('what the image of a vCPU holds', () => {
  const DEAD = valueId(PRINCIPAL.otherGuest, 2);

  /** The image and the registers of the vCPU after the normal form was made. */
  function imageWhen({
    live,
    status,
    forgets,
  }: {
    live: boolean;
    status: number;
    forgets: boolean;
  }): readonly number[] {
    const machine = machineWith(TWO, xenHvm);
    const { words, at } = machine.state;
    const { image, fpregs, latest } = placesIn(machine, SSE);
    const vcpu = image(at.tasks);
    words[latest(0)] = words[vcpu] = words[fpregs] = valueOf(0, 9);
    words[at.frameStatus + words[at.current] * at.stackDepth + words[at.depth + words[at.current]] - 1] = status;
    const form = new NormalForm(machine.state, { ...probeOf(machine), registersLive: () => live }, forgets);
    form.forgetDead(0);
    form.normalise();
    return [words[vcpu], words[fpregs]];
  }

  const probeOf = (machine: Machine) => {
    const { localKinds, canFork, kernelUsesFpu } = machine.probe();
    return { localKinds, canFork, kernelUsesFpu };
  };

  it.each([
    ['is forgotten while the registers are live', { live: true, status: CONTEXT.syscall, forgets: true }, DEAD],
    ['is kept where it is all there is', { live: false, status: CONTEXT.syscall, forgets: true }, valueOf(0, LATEST)],
    [
      'is kept while the hypervisor runs, which may have saved it just now',
      { live: true, status: CONTEXT.hypervisor, forgets: true },
      valueOf(0, LATEST),
    ],
    ['is kept unless that is asked for', { live: true, status: CONTEXT.syscall, forgets: false }, valueOf(0, LATEST)],
  ])('%s', (_, situation, expected) => {
    expect(imageWhen(situation)).toEqual([expected, valueOf(0, LATEST)]);
  });
});
