import fc from 'fast-check';
import { FpuError, type Machine } from '@fpulab/core';
import { PartTable, reserveTable } from '../src/shared-table';
import { StateCodec, type CodecOptions } from '../src/state-codec';
import { machineAfter } from './support/machines';
import { renamingsOf, text, type Graph } from './support/naive';
import { sampleOf } from './support/samples';

jest.setTimeout(30_000);

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
function kept({ state: { words, at } }: Machine, { versionFree }: CodecOptions): Int32Array {
  const copy = words.slice();
  copy.fill(0, at.reported, at.reported + 8 * at.tasks);
  if (versionFree) copy.fill(0, at.serial, at.serial + at.tasks);
  if (versionFree) copy[at.kernelSerial] = 0;
  return copy;
}

const moment = fc.record({
  seed: fc.integer({ min: 0, max: 500 }),
  run: fc.nat(1000),
  steps: fc.integer({ min: 0, max: 400 }),
});

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
        codec.encode();
        const words = kept(machine, options);
        const key = codec.key.slice();
        disturb(here);
        codec.decode(key, 0);
        expect(kept(machine, options)).toEqual(words);
        codec.encode();
        expect(codec.key).toEqual(key);
      }),
      { numRuns: 150 },
    );
  });
});

it('a key that follows another one in the same codec is decoded as well', () => {
  fc.assert(
    fc.property(moment, fc.integer({ min: 1, max: 60 }), ({ seed, run, steps }, more) => {
      const here = momentOf(seed, run, steps, NOTHING);
      if (!here) return;
      const { machine, codec } = here;
      codec.encode();
      const first = { key: codec.key.slice(), words: kept(machine, NOTHING) };
      try {
        for (let step = 0; step < more && machine.step(); step++);
      } catch {
        return;
      }
      codec.encode();
      const second = { key: codec.key.slice(), words: kept(machine, NOTHING) };
      for (const { key, words } of [first, second, first, first, second]) {
        codec.decode(key, 0);
        expect(kept(machine, NOTHING)).toEqual(words);
      }
    }),
    { numRuns: 100 },
  );
});

describe('with symmetry', () => {
  it('every member of an orbit has one key, which is decoded to a member', () => {
    let renamed = 0;
    fc.assert(
      fc.property(moment, fc.boolean(), ({ seed, run, steps }, versionFree) => {
        const plain = momentOf(seed, run, steps, { ...NOTHING, versionFree });
        if (!plain) return;
        const { machine } = plain;
        const probe = machine.probe();
        const renamings = renamingsOf({ machine, probe } as Graph);
        if (renamings.length === 0) return;
        plain.codec.encode(); // its values are renumbered now, so that renamings are all that makes a difference
        const words = kept(machine, { ...NOTHING, versionFree });
        const { cpusAreInterchangeable, settings } = machine.composition;
        const options = { versionFree, taskSymmetry: true, cpuSymmetry: cpusAreInterchangeable && settings.cpus > 1 };
        const codec = new StateCodec(machine.state, probe, new PartTable(reserveTable(1 << 20, 1024)), options);
        machine.state.words.set(words);
        codec.encode();
        const key = codec.key.slice();
        const member = new Int32Array(words.length);
        const orbit = new Set([text(words)]);
        for (const renaming of renamings) {
          renaming(words, member);
          orbit.add(text(member.slice()));
          machine.state.words.set(member);
          codec.encode();
          expect(codec.key).toEqual(key);
          renamed++;
        }
        codec.forget();
        codec.decode(key, 0);
        expect(orbit.has(text(kept(machine, options)))).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(renamed).toBeGreaterThan(50);
  });
});
