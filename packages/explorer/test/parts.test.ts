import fc from 'fast-check';
import { FpuError, sse, syscall, type Machine } from '@fpulab/core';
import { xenPv } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import type { Compose } from '../src';
import { PartTable, reserveTable } from '../src/shared-table';
import { StateCodec, type CodecOptions } from '../src/state-codec';
import { machineAfter } from './support/machines';
import { renamingsOf, text, type Graph } from './support/naive';
import { sampleOf } from './support/samples';
import { YIELD, anyOf } from './support/scenarios';

const NOTHING: CodecOptions = { versionFree: false, taskSymmetry: false, cpuSymmetry: false };

interface Moment {
  readonly machine: Machine;
  readonly codec: StateCodec;
}

/** A sample's machine somewhere in a random run, and a codec for it; undefined where the sample cannot run. */
function momentOf(seed: number, run: number, steps: number, options: CodecOptions): Moment | undefined {
  try {
    const machine = machineAfter(sampleOf(seed).compose, run, steps);
    return {
      machine,
      codec: new StateCodec(machine.state, machine.probe(), new PartTable(reserveTable(1 << 20, 1024)), options),
    };
  } catch (error) {
    if (error instanceof FpuError || (error as Error).message.startsWith('fpulab bug')) return undefined;
    throw error;
  }
}

/** The words without what no key has. */
function kept({ state: { words, at, layout } }: Machine, { versionFree }: CodecOptions): Int32Array {
  const copy = words.slice();
  const { base, instances, width } = layout.field('task.reported');
  copy.fill(0, base, base + instances * width);
  if (versionFree) copy.fill(0, at.serial, at.serial + at.tasks);
  if (versionFree) copy[at.kernelSerial] = 0;
  return copy;
}

const moment = fc.record({
  seed: fc.integer({ min: 0, max: 500 }),
  run: fc.nat(1000),
  steps: fc.integer({ min: 0, max: 400 }),
});

/** Makes the key of the state that the machine is in. */
function encode(codec: StateCodec): void {
  codec.readAll();
  codec.encode();
}

function decode(codec: StateCodec, key: Int32Array): void {
  codec.take(key, 0);
  codec.load();
}

/** Puts something else into the machine, so that what decoding leaves out is seen. */
function disturb({ machine, codec }: Moment): void {
  machine.state.words.fill(-77);
  codec.forget();
}

describe.each([
  ['whole', NOTHING],
  ['version-free', { ...NOTHING, versionFree: true }],
])('states, %s', (_, options) => {
  it('come back from their keys as they were', () => {
    fc.assert(
      fc.property(moment, ({ seed, run, steps }) => {
        const here = momentOf(seed, run, steps, options);
        if (!here) return;
        const { machine, codec } = here;
        encode(codec);
        const words = kept(machine, options);
        const key = codec.key.slice();
        disturb(here);
        decode(codec, key);
        expect(kept(machine, options)).toEqual(words);
        encode(codec);
        expect(codec.key).toEqual(key);
      }),
      { numRuns: 60 },
    );
  });
});

it('a key that follows another one in the same codec is decoded as well', () => {
  fc.assert(
    fc.property(moment, fc.integer({ min: 1, max: 60 }), ({ seed, run, steps }, more) => {
      const here = momentOf(seed, run, steps, NOTHING);
      if (!here) return;
      const { machine, codec } = here;
      encode(codec);
      const first = { key: codec.key.slice(), words: kept(machine, NOTHING) };
      try {
        for (let step = 0; step < more && machine.step(); step++);
      } catch {
        return;
      }
      encode(codec);
      const second = { key: codec.key.slice(), words: kept(machine, NOTHING) };
      for (const { key, words } of [first, second, first, first, second]) {
        decode(codec, key);
        expect(kept(machine, NOTHING)).toEqual(words);
      }
    }),
    { numRuns: 100 },
  );
});

/** Checks that all members of a state's orbit have one key, and that it is decoded to one of them. Returns how many there are. */
function checkOrbit(machine: Machine, versionFree: boolean): number {
  const probe = machine.probe();
  const renamings = renamingsOf({ machine, probe } as Graph);
  if (renamings.length === 0) return 0;
  const { cpusAreInterchangeable, settings } = machine.composition;
  const options = { versionFree, taskSymmetry: true, cpuSymmetry: cpusAreInterchangeable && settings.cpus > 1 };
  const codec = new StateCodec(machine.state, probe, new PartTable(reserveTable(1 << 20, 1024)), options);
  encode(codec); // renumbers values, so that renamings are all that makes a difference
  const words = kept(machine, options);
  const key = codec.key.slice();
  const member = new Int32Array(words.length);
  const orbit = new Set([text(words)]);
  for (const renaming of renamings) {
    renaming(words, member);
    machine.state.words.set(member);
    encode(codec); // names values of kernel sections anew: their frames are other tasks' now
    expect(codec.key).toEqual(key);
    orbit.add(text(kept(machine, options)));
  }
  codec.forget();
  decode(codec, key);
  expect(orbit.has(text(kept(machine, options)))).toBe(true);
  return orbit.size;
}

describe('with symmetry every member of an orbit has one key, which is decoded to a member', () => {
  it('in random compositions', () => {
    let members = 0;
    fc.assert(
      fc.property(moment, fc.boolean(), ({ seed, run, steps }, versionFree) => {
        const here = momentOf(seed, run, steps, NOTHING);
        if (here) members += checkOrbit(here.machine, versionFree);
      }),
      { numRuns: 120 },
    );
    expect(members).toBeGreaterThan(100);
  });

  it('with four tasks on two CPUs, of which two pairs may refer to each other', () => {
    const scenario = anyOf([sse.update(), syscall('kernel_fpu'), YIELD], {
      tasks: 4,
      cpus: 2,
      oracles: [],
      interference: { preempt: 'full', migration: true, hardirq: true },
    });
    const composed: Compose = () => ({ platform: xenPv(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario });
    let largest = 0;
    for (let seed = 0; seed < 40; seed++) {
      for (const steps of [20, 40, 60, 80, 100, 300]) {
        largest = Math.max(largest, checkOrbit(machineAfter(composed, seed, steps), true));
      }
    }
    expect(largest).toBe(48); // 4! orders of tasks, 2 of CPUs
  });
});
