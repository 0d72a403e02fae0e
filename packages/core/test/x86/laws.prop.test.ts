/**
 * Laws of saving and restoring that hold for all states, masks and modes, on every built-in processor that has the instruction: what
 * was saved comes back, XINUSE is sound, events say all that happened.
 */
import fc from 'fast-check';
import { AVX, SSE, X87, bitsOf } from '../../src/x86/components';
import type { CpuModel } from '../../src/x86/cpu-model';
import { execute } from '../../src/x86/execute';
import type { CodeMode } from '../../src/x86/instruction';
import { explainXcr0, explainXss } from '../../src/x86/legality';
import { GPR, type Processor } from '../../src/x86/processor';
import { apply, type ProcessorEvent, type ProcessorState } from '../../src/x86/processor-state';
import { X87_INIT } from '../../src/x86/x87-state';
import { anyMask, anyState, type StateRecipe } from '../support/arbitraries';
import {
  expectSameArea,
  expectSameBytes,
  expectSameState,
  expectX87,
  isInInitialConfiguration,
  reach,
  throughImage,
} from '../support/state-expectations';
import {
  CODE_OF,
  SAVES_ON_MODELS,
  XSAVE_MODELS,
  addressBefore,
  areaOf,
  atCpl,
  copyOf,
  filledArea,
  formOf,
  headerOf,
  modelsWith,
  named,
  prepare,
  processorOf,
  rfbmOf,
  run,
  runs,
  type Mnemonic,
  type Save,
} from '../support/prepared-processors';

const RUNS = { numRuns: 60 };

/** Each save with the restore that belongs to it. */
const ROUND_TRIPS = SAVES_ON_MODELS.map(
  ([save, id, model]) => [save, save === 'XSAVES' ? 'XRSTORS' : 'XRSTOR', id, model] as const,
);

/** A recipe with the control registers, mode and CPL of another. */
const withControlOf = (
  recipe: StateRecipe,
  { mode, cpl, xcr0, xss, xfd, osfxsr, ffxsr }: StateRecipe,
): StateRecipe => ({ ...recipe, mode, cpl, xcr0, xss, xfd, osfxsr, ffxsr });

/** Puts another state into the registers of a processor; control registers and memory stay. */
function overwrite(cpu: Processor, recipe: StateRecipe): void {
  const { state } = processorOf(cpu.model, recipe);
  const inUse = (bit: number): boolean => (state.inUse & (1 << bit)) !== 0;
  cpu.emit({ type: 'x87-loaded', value: state.x87, inUse: inUse(X87), written: state.x87Written });
  cpu.loadMxcsr(state.mxcsr);
  state.components.forEach((value, bit) => {
    if (bit !== X87) cpu.emit({ type: 'component-loaded', bit, value, inUse: inUse(bit) });
  });
}

/** A save, other values in the registers, and a restore. */
interface RoundTrip {
  readonly cpu: Processor;
  readonly before: ProcessorState;
  readonly between: ProcessorState;
  readonly rfbm: number;
  readonly save: Save;
  readonly wide: boolean;
}

/** Each component is the one before the save, or the one before the restore. */
function expectRestored({ cpu, before, between, rfbm, save, wide }: RoundTrip): void {
  const { model, state } = cpu;
  if (rfbm & (1 << X87)) expectX87(model, state.x87, throughImage(model, before.x87, wide && state.mode === 64));
  else expect(state.x87).toEqual(between.x87);
  state.components.forEach((found, bit) => {
    if (bit !== X87) expectSameBytes(`component ${bit}`, found, restoredBytes(before, between, rfbm, bit));
  });
  const mxcsr = formOf(save) === 'compacted' ? 1 << SSE : (1 << SSE) | (1 << AVX);
  expect(state.mxcsr).toBe(rfbm & mxcsr ? before.mxcsr : between.mxcsr);
}

/** Outside 64-bit mode half of the registers stay as they were; what IA32_XFD disables comes back as initial (SDM Vol. 1, 13.14). */
function restoredBytes(before: ProcessorState, between: ProcessorState, rfbm: number, bit: number): Uint8Array {
  const bytes = between.components[bit].slice();
  if (!(rfbm & (1 << bit))) return bytes;
  const disabled = before.control.xfd & before.control.xcr0 & (1 << bit);
  const saved = before.components[bit].subarray(0, reach(bit, bytes.length, before.mode));
  if (disabled) return bytes.fill(0, 0, saved.length);
  bytes.set(saved);
  return bytes;
}

/** XINUSE within RFBM: by value, or, where every load counts, what XSTATE_BV said (SDM Vol. 1, 13.8.3); outside as it was. */
function expectTracked({ cpu, between, rfbm }: RoundTrip, xstateBv: number): void {
  const { model, state } = cpu;
  expect(state.inUse & ~rfbm).toBe(between.inUse & ~rfbm);
  const whole = bitsOf(rfbm).filter((bit) => reach(bit, 512, state.mode) === 512);
  for (const bit of whole) {
    const byValue = !isInInitialConfiguration(model, state, bit);
    const expected = model.behaviour.initTracking === 'load' ? ((xstateBv >>> bit) & 1) === 1 : byValue;
    expect([bit, (state.inUse & (1 << bit)) !== 0]).toEqual([bit, expected]);
  }
}

describe('the arbitraries', () => {
  it.each(named(XSAVE_MODELS))('%s: XCR0 and IA32_XSS are legal', (_, model) => {
    fc.assert(
      fc.property(anyState(model), ({ xcr0, xss }) => {
        expect(explainXcr0(model, BigInt(xcr0))).toEqual([]);
        if (model.features.includes('xsaves')) expect(explainXss(model, BigInt(xss))).toEqual([]);
        else expect(xss).toBe(0);
      }),
      RUNS,
    );
  });
});

describe('a restore of what a save stored', () => {
  it.each(ROUND_TRIPS)('%s, other values, %s on %s: RFBM as it was, all else as it became', (...row) => {
    const [save, restore, , model] = row;
    fc.assert(
      fc.property(anyState(model), anyState(model), anyMask, fc.boolean(), (first, second, mask, wide) => {
        const recipe = atCpl(first, save);
        const cpu = processorOf(model, recipe);
        const before = copyOf(cpu.state);
        runs(cpu, save, { mask, wide });
        const { xstateBv } = headerOf(areaOf(cpu));
        overwrite(cpu, withControlOf(second, recipe));
        const between = copyOf(cpu.state);
        runs(cpu, restore, { mask, wide });
        const trip = { cpu, before, between, rfbm: rfbmOf(cpu, save, mask), save, wide };
        expectRestored(trip);
        expectTracked(trip, Number(xstateBv));
      }),
      RUNS,
    );
  });

  /** The modified optimisation may leave bytes of the area as they are, but only where they are right. */
  it.each(ROUND_TRIPS.filter(([save]) => save === 'XSAVEOPT' || save === 'XSAVES'))(
    '%s to the area of the last %s on %s, after some registers changed: restores to what the registers held',
    (save, restore, _id, model) => {
      const states = fc.tuple(anyState(model), anyState(model), anyState(model));
      const masks = fc.tuple(anyMask, anyMask, fc.option(anyMask, { nil: undefined }));
      fc.assert(
        fc.property(states, masks, ([first, second, third], [restored, changed, saved = restored]) => {
          const recipe = atCpl(first, save);
          const cpu = processorOf(model, recipe);
          runs(cpu, save, { wide: true });
          runs(cpu, restore, { mask: restored, wide: true });
          changeSome(cpu, withControlOf(second, recipe), changed);
          const before = copyOf(cpu.state);
          runs(cpu, save, { mask: saved, wide: true });
          overwrite(cpu, withControlOf(third, recipe));
          const between = copyOf(cpu.state);
          runs(cpu, restore, { mask: saved, wide: true });
          expectRestored({ cpu, before, between, rfbm: rfbmOf(cpu, save, saved), save, wide: true });
        }),
        RUNS,
      );
    },
  );

  function changeSome(cpu: Processor, recipe: StateRecipe, mask: number): void {
    const { state } = processorOf(cpu.model, recipe);
    if (mask & (1 << X87)) cpu.loadX87(state.x87, 'write');
    if (mask & (1 << SSE)) cpu.loadMxcsr(state.mxcsr);
    for (const { bit } of cpu.model.components) {
      if (mask & (1 << bit)) cpu.load(bit, state.components[bit], 'write');
    }
  }

  it.each(named(modelsWith('fxsr')))(
    'FXSAVE, other values, FXRSTOR on %s: x87, with CR4.OSFXSR MXCSR and XMM',
    (...row) => {
      const [, model] = row;
      fc.assert(
        fc.property(anyState(model), anyState(model), fc.boolean(), (first, second, wide) => {
          const cpu = processorOf(model, first);
          const before = copyOf(cpu.state);
          runs(cpu, 'FXSAVE', { wide });
          expectSameState({ ...cpu.state, rip: before.rip, registers: before.registers }, before);
          overwrite(cpu, withControlOf(second, first));
          const between = copyOf(cpu.state);
          runs(cpu, 'FXRSTOR', { wide });
          expectX87(model, cpu.state.x87, throughImage(model, before.x87, wide && first.mode === 64));
          expect(cpu.state.mxcsr).toBe(first.osfxsr ? before.mxcsr : between.mxcsr);
          const fast = first.ffxsr && first.cpl === 0 && first.mode === 64;
          const moved = first.osfxsr && !fast ? reach(SSE, 256, first.mode) : 0;
          const components = between.components.map((bytes) => bytes.slice());
          components[SSE].set(before.components[SSE].subarray(0, moved));
          cpu.state.components.forEach((bytes, bit) => expectSameBytes(`component ${bit}`, bytes, components[bit]));
        }),
        RUNS,
      );
    },
  );

  it.each(named(modelsWith('fpu')))(
    'FNSAVE, other values, FRSTOR on %s: x87, as much as the operand size holds',
    (_, model) => {
      fc.assert(
        fc.property(anyState(model), anyState(model), fc.boolean(), (first, second, operand16) => {
          const cpu = processorOf(model, first);
          const { x87 } = cpu.state;
          runs(cpu, 'FNSAVE', { operand16 });
          expect(cpu.state.x87).toEqual({ ...X87_INIT, registers: x87.registers });
          // FRSTOR waits: an unmasked exception that is pending raises #MF before it.
          overwrite(cpu, { ...withControlOf(second, first), x87: second.x87 && { ...second.x87, fsw: 0 } });
          runs(cpu, 'FRSTOR', { operand16 });
          const held = (pointer: bigint): bigint => cpu.pointer(pointer & (operand16 ? 0xffffn : 0xffff_ffffn));
          const fop = operand16 ? 0 : x87.fop;
          expectX87(model, cpu.state.x87, { ...x87, fop, fip: held(x87.fip), fdp: held(x87.fdp) });
        }),
        RUNS,
      );
    },
  );
});

describe('XINUSE', () => {
  const mnemonics: readonly Mnemonic[] = [
    ...(['XSAVE', 'XSAVEOPT', 'XSAVEC', 'XSAVES', 'XRSTOR', 'XRSTORS', 'FXSAVE', 'FXRSTOR', 'FNSAVE'] as const),
    ...(['FRSTOR', 'FNINIT', 'VZEROUPPER', 'VZEROALL', 'LDTILECFG', 'LDMXCSR'] as const),
  ];
  const steps = fc.array(
    fc.record({
      mnemonic: fc.constantFrom(...mnemonics),
      mask: anyMask,
      wide: fc.boolean(),
      mode: fc.constantFrom<CodeMode>(32, 64),
    }),
    { minLength: 1, maxLength: 4 },
  );

  it.each(named(XSAVE_MODELS))(
    '%s: a component that is not in use is in its initial configuration, all of it',
    (...row) => {
      const [, model] = row;
      fc.assert(
        fc.property(anyState(model), steps, (recipe, sequence) => {
          const cpu = processorOf(model, recipe);
          for (const { mode, mnemonic, ...options } of sequence) {
            cpu.state.mode = mode;
            run(cpu, mnemonic, options);
          }
          cpu.state.mode = 64;
          const unused = bitsOf(rfbmOf(cpu, 'XSAVES', -1) & ~cpu.inUse());
          expect(unused.filter((bit) => !isInInitialConfiguration(model, cpu.state, bit))).toEqual([]);
        }),
        { numRuns: 200 },
      );
    },
  );

  const withBoth = modelsWith('xsavec').filter(({ features }) => features.includes('xgetbv1'));

  it.each(named(withBoth))('%s: XGETBV(1) gives the XSTATE_BV that XSAVEC stores for all of XCR0', (_, model) => {
    fc.assert(
      fc.property(anyState(model), (recipe) => {
        const cpu = processorOf(model, { ...recipe, xfd: 0 });
        runs(cpu, 'XSAVEC');
        cpu.state.registers[GPR.rcx] = 1n;
        runs(cpu, 'XGETBV');
        expect(cpu.edxEax()).toBe(headerOf(areaOf(cpu)).xstateBv);
      }),
      RUNS,
    );
  });
});

describe('events', () => {
  const instructions = fc.array(
    fc.record({
      mnemonic: fc.constantFrom(...(Object.keys(CODE_OF) as Mnemonic[])),
      mask: anyMask,
      wide: fc.boolean(),
      operand16: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  );
  /** Bytes of the area that are there; the next page is missing. */
  const mapped = fc.oneof(
    fc.constant(0x3000),
    fc.integer({ min: 0, max: 20 }).map((lines) => 64 * lines),
  );

  it.each(named(modelsWith('fpu')))(
    '%s: applied to a copy of the start state they give the end state and memory',
    (...row) => {
      const [, model]: readonly [string, CpuModel] = row;
      fc.assert(
        fc.property(anyState(model), instructions, mapped, (recipe, sequence, bytes) => {
          const address = addressBefore(bytes);
          const cpu = processorOf(model, recipe, { area: filledArea(0).subarray(0, bytes), address });
          for (const { mnemonic, ...options } of sequence) {
            const code = prepare(cpu, mnemonic, { ...options, address });
            const copy = copyOf(cpu.state);
            const events: ProcessorEvent[] = [];
            const subscription = cpu.events$.subscribe((event) => events.push(event));
            execute(cpu, code);
            subscription.unsubscribe();
            for (const event of events) apply(copy, event);
            expectSameState(copy, cpu.state);
            expectSameArea(copy.memory.regions[0].bytes, areaOf(cpu));
          }
        }),
        RUNS,
      );
    },
  );
});
