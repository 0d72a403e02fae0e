/** A restore that faults, and how much it may have changed. */
import fc from 'fast-check';
import { VECTOR } from '../../src/x86/faults';
import { FAULT_REASONS } from '../../src/x86/fault-reasons';
import { HEADER_OFFSET } from '../../src/x86/layout';
import { anyMask, anyState } from '../support/arbitraries';
import { expectSameArea, expectUnchanged } from '../support/state-expectations';
import {
  AREA,
  AREA_BYTES,
  addressBefore,
  areaOf,
  atCpl,
  copyOf,
  filledArea,
  modelsWith,
  named,
  processorOf,
  run,
  runs,
} from '../support/prepared-processors';

/** What is wrong with an image, or with its address. */
const spoilings = fc.record({
  how: fc.constantFrom('xstate-bv', 'xcomp-bv', 'reserved', 'mxcsr', 'missing-page', 'misaligned', 'non-canonical'),
  bitmap: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  reservedByte: fc.integer({ min: 16, max: 63 }),
  /** Lines of 64 bytes that lie before the missing page. */
  lines: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 180 })),
  /** Components that had been transferred before the missing page, on processors that choose. */
  transferred: anyMask,
});
type Spoiling = typeof spoilings extends fc.Arbitrary<infer T> ? T : never;

function spoil(area: Uint8Array, { how, bitmap, reservedByte }: Spoiling): void {
  const view = new DataView(area.buffer, area.byteOffset);
  if (how === 'xstate-bv') view.setBigUint64(HEADER_OFFSET, bitmap, true);
  if (how === 'xcomp-bv') view.setBigUint64(HEADER_OFFSET + 8, bitmap, true);
  if (how === 'reserved') area[HEADER_OFFSET + reservedByte] = 1;
  if (how === 'mxcsr') view.setUint32(24, 0x8000_0000, true);
}

const RESTORES_ON_MODELS = (['XRSTOR', 'XRSTORS'] as const).flatMap((restore) =>
  modelsWith(restore === 'XRSTOR' ? 'xsave' : 'xsaves').map((model) => [restore, model.id, model] as const),
);

describe('a restore that faults', () => {
  it.each(RESTORES_ON_MODELS)(
    '%s on %s: changes nothing, but what a missing page lets through',
    (restore, _id, model) => {
      const { pageFault } = model.behaviour;
      let faults = 0;
      fc.assert(
        fc.property(anyState(model), anyState(model), anyMask, fc.boolean(), spoilings, (...args) => {
          const [first, second, mask, compact, spoiling] = args;
          const recipe = { ...atCpl(first, restore), xfd: 0 };
          const compacted = compact && model.features.includes('xsavec') ? 'XSAVEC' : 'XSAVE';
          const source = processorOf(model, { ...recipe, cpl: 0 });
          runs(source, restore === 'XRSTORS' ? 'XSAVES' : compacted);
          const image = areaOf(source);
          spoil(image, spoiling);
          const there = spoiling.how === 'missing-page' ? 64 * spoiling.lines : AREA_BYTES;
          const area = image.subarray(0, there);
          const base = addressBefore(there);
          const cpu = processorOf(
            model,
            { ...second, mode: recipe.mode, cpl: recipe.cpl, xcr0: recipe.xcr0, xss: recipe.xss },
            {
              area,
              address: base,
              choices: { transferredBeforeFault: (candidates) => candidates & spoiling.transferred },
            },
          );
          const before = copyOf(cpu.state);
          const address = { misaligned: base + 8n, 'non-canonical': 1n << 63n }[spoiling.how as string] ?? base;
          const execution = run(cpu, restore, { mask, address });
          expectSameArea(area, before.memory.regions[0].bytes);
          if (execution.end !== 'fault') return;
          faults++;
          expect(FAULT_REASONS).toHaveProperty(execution.fault.reason);
          if (execution.fault.vector !== VECTOR.PF || pageFault === 'before-transfer')
            expectUnchanged(cpu.state, before);
          // What comes before the missing page has been loaded, in an order that is the processor's business.
          else if (pageFault === 'any-part') expectUnchanged(cpu.state, before, spoiling.transferred);
          const { xfdErr } = cpu.control;
          expect(xfdErr !== 0).toBe(execution.fault.reason === 'xfd-armed');
        }),
        { numRuns: 200 },
      );
      expect(faults).toBeGreaterThan(40);
    },
  );

  it.each(named(modelsWith('fxsr')))('FXRSTOR on %s with reserved bits in MXCSR or at a bad address', (_, model) => {
    fc.assert(
      fc.property(anyState(model), fc.boolean(), (recipe, misaligned) => {
        const cpu = processorOf(model, recipe, { area: filledArea(0xff) });
        const before = copyOf(cpu.state);
        const execution = run(cpu, 'FXRSTOR', misaligned ? { address: AREA + 8n } : {});
        const reason = misaligned ? 'misaligned' : 'mxcsr-reserved';
        expect(execution).toMatchObject({ end: 'fault', fault: { vector: VECTOR.GP, errorCode: 0, reason } });
        expectUnchanged(cpu.state, before);
      }),
      { numRuns: 60 },
    );
  });
});
