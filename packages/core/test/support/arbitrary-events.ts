/** Any event on any state. */
import * as fc from 'fast-check';
import {
  LIFECYCLE,
  MOVE_INSTRUCTIONS,
  ORACLES,
  PRINCIPAL,
  eventTypes,
  valueId,
  type EventFieldKind,
  type EventType,
  type MachineState,
} from '@fpulab/core';
import { FULL, smallState } from './states';

const { sizes, stackDepth } = FULL;
const COMPONENTS = FULL.componentBits.length;
const LOCALS = 2;

const value = fc.oneof(
  fc.constant(0),
  fc
    .tuple(fc.constantFrom(1, 2, 3, PRINCIPAL.kernel, PRINCIPAL.otherGuest), fc.integer({ min: 1, max: 2 ** 20 - 1 }))
    .map(([principal, serial]) => valueId(principal, serial)),
);
export const below = (count: number): fc.Arbitrary<number> => fc.nat({ max: count - 1 });
export const status = fc.integer({ min: 0, max: 0x00ff_ff3f });

/** A number that fits a field of an event. */
function argument(type: EventType, name: string, kind: EventFieldKind): fc.Arbitrary<number> {
  if (name === 'frame') return below(stackDepth);
  if (name === 'index') return below(LOCALS);
  if (name === 'pages') return below(3);
  if (name === 'oracle') return below(ORACLES.length);
  if (name === 'next' && type.name === 'kernel.stepped') return fc.integer({ min: -1, max: 500 });
  if (name === 'user' && type.name === 'task.created') return fc.integer({ min: -1, max: 500 });
  switch (kind) {
    case 'cpu':
      return below(sizes.cpu);
    case 'task':
      return below(sizes.task);
    case 'fpstate':
      return below(sizes.fpstate);
    case 'component':
      return type.name === 'oracle.violated' ? fc.integer({ min: -1, max: 2 }) : below(COMPONENTS);
    case 'value':
      return value;
    case 'slot':
      return below(smallState(FULL).layout.words);
    case 'mask':
      return status;
    case 'pc':
    case 'number':
      return fc.nat({ max: 500 });
    case 'digest':
      return fc.integer();
    case 'instruction':
      return below(MOVE_INSTRUCTIONS.length);
  }
}

/** An event type with arguments that fit it. */
export const anyEvent = fc.constantFrom(...eventTypes()).chain((type) =>
  fc.record({
    type: fc.constant(type),
    data: fc.record(
      Object.fromEntries(Object.entries(type.fields).map(([name, kind]) => [name, argument(type, name, kind)])),
    ),
  }),
);

/** A state in which every word is something that its field may hold; stacks have room for one frame more. */
export const anyState: fc.Arbitrary<MachineState> = fc
  .record({
    depths: fc.array(fc.integer({ min: 2, max: stackDepth - 2 }), { minLength: sizes.task, maxLength: sizes.task }),
    words: fc.array(fc.integer({ min: 1, max: 0x00ff_ff3f }), { minLength: 300, maxLength: 300 }),
    current: fc.array(below(sizes.task), { minLength: sizes.cpu, maxLength: sizes.cpu }),
    pickedBy: fc.array(fc.integer({ min: -1, max: sizes.task - 1 }), { minLength: sizes.task, maxLength: sizes.task }),
  })
  .map(({ depths, words, current, pickedBy }) => {
    const state = smallState(FULL);
    state.words.forEach((_, word) => (state.words[word] = words[word]));
    depths.forEach((depth, task) => {
      state.words[state.at.depth + task] = depth;
      state.words[state.at.lifecycle + task] = LIFECYCLE.alive;
    });
    state.words.set(current, state.at.current);
    state.words.set(pickedBy, state.at.pickedBy);
    return state;
  });
