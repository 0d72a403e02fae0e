import * as fc from 'fast-check';
import { PART, applyEvent, partOfField, type EventType, type MachineState } from '@fpulab/core';
import { Footprint } from '../../src/machine/footprint';
import { anyEvent, anyState } from '../support/arbitrary-events';

/** By word: the part that it belongs to. */
function partsOf({ layout, words, at }: MachineState): readonly number[] {
  const parts: number[] = Array.from(words, () => -1);
  for (const field of layout.fields) {
    for (let word = 0; word < field.instances * field.width; word++) {
      parts[field.base + word] = partOfField(field, at, Math.floor(word / field.width));
    }
  }
  return parts;
}

function footprintOf(state: MachineState, type: EventType, data: Readonly<Record<string, number>>): Footprint {
  const footprint = new Footprint(state);
  footprint.applies(
    type,
    type.fieldNames.map((name) => data[name]),
  );
  return footprint;
}

describe('the footprint of an event, over arbitrary events and states', () => {
  it('has every part that the event changes', () => {
    fc.assert(
      fc.property(anyState, anyEvent, (state, { type, data }) => {
        const { changed } = footprintOf(state, type, data);
        const before = state.words.slice();
        applyEvent(state, type, data);
        const unnamed = partsOf(state).filter(
          (part, word) => state.words[word] !== before[word] && changed[part] === 0,
        );
        expect(unnamed).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('has every part on which it depends: with other parts as in another state, it changes the same to the same', () => {
    fc.assert(
      fc.property(anyState, anyState, anyEvent, (state, other, { type, data }) => {
        const { trail, changed } = footprintOf(state, type, data);
        const { words, at } = state;
        const parts = partsOf(state);
        parts.forEach((part, word) => {
          if (trail.includes(part)) other.words[word] = words[word];
        });
        for (let task = 0; task < at.tasks; task++) {
          if (!trail.includes(new Footprint(state).scheduleOf(task))) continue;
          for (const word of [at.lifecycle, at.pickedBy, at.lastRan]) other.words[word + task] = words[word + task];
        }
        const otherBefore = other.words.slice();
        applyEvent(state, type, data);
        applyEvent(other, type, data);
        expect(other.words).toEqual(otherBefore.map((word, place) => (changed[parts[place]] ? words[place] : word)));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a footprint', () => {
  it('names each part once, in the order in which they are looked at, and ends where everything is', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { at } = state;
        const footprint = new Footprint(state);
        footprint.readSchedule(1);
        footprint.readCpu(0, 0);
        footprint.asked(3);
        footprint.readSchedule(0); // its whole part was looked at
        footprint.readFpu(0, 1);
        footprint.readWord(at.lifecycle + 1);
        footprint.readWriters(PART.taskFpu(at, 0));
        footprint.readEverything();
        footprint.readFpu(0, 0);
        footprint.asked(2);
        expect(footprint.trail).toEqual([
          footprint.scheduleOf(1),
          PART.cpu(at, 0),
          PART.task(at, 0),
          ~3,
          PART.cpuFpu(at, 0),
          PART.taskFpu(at, 1),
          PART.task(at, 1),
          footprint.writersIn(PART.taskFpu(at, 0)),
        ]);
        expect(footprint.everything).toBe(true);
        footprint.clear();
        footprint.readCpu(0, -1);
        expect([footprint.trail, footprint.everything]).toEqual([[PART.cpu(at, 0)], false]);
      }),
      { numRuns: 1 },
    );
  });
});
