import { applyEvent, eventType, type MachineEvent } from '@fpulab/core';
import { headerOf, openReplay, trackProvenance, valueAt, type LogHeader, type Place } from '@fpulab/eventlog';
import { often } from '../../core/test/support/often';
import { everything, eventsOf, metaOf, read, record } from './helpers';

const X87 = 0;
const INIT = 0;

/** Every register of every CPU and every image, with the word of the state that holds it. */
function placesOf(
  { sizes, componentBits }: LogHeader,
  state: ReturnType<typeof openReplay>,
): readonly (Place & { word: number })[] {
  const places = (where: Place['in'], count: number, base: number) =>
    Array.from({ length: count }, (_, index) =>
      componentBits.map((component, element) => ({
        in: where,
        index,
        component,
        word: base + index * componentBits.length + element,
      })),
    ).flat();
  return [...places('fpregs', sizes.cpu, state.at.fpregs), ...places('fpstate', sizes.fpstate, state.at.image)];
}

describe('provenance', () => {
  it.each(everything())('%s on %s, %s: is right about every value in every place', (preset, platform, scenario) => {
    const setup = { preset, platform, scenario, seed: 3n, stepsMax: often(120, 250) };
    const { machine, live } = eventsOf(setup);
    const header = headerOf(machine, metaOf(setup));
    const state = openReplay(header);
    const tracker = trackProvenance(header);
    const places = placesOf(header, state);
    for (const event of live) {
      const type = eventType(event.type);
      if (type) applyEvent(state, type, event.data);
      tracker.observe(event);
      if (event.seq % 5 !== 0) continue;
      const wrong = places.find((place) => tracker.at(place).value !== state.words[place.word]);
      if (wrong) throw new Error(`event ${event.seq}: ${JSON.stringify(wrong)}`);
      for (let task = 0; task < state.at.tasks; task++) {
        header.componentBits.forEach((bit, element) => {
          const latest = state.words[state.at.architectural + task * state.at.components + element];
          if (tracker.latestOf(task, bit).value !== latest) throw new Error(`event ${event.seq}: latest of ${task}`);
        });
      }
    }
  });

  const { live, text } = record({ preset: 'linux-4.8', platform: 'bare-metal' });
  const log = read(text);
  const typesOf = (chain: readonly number[]): readonly string[] => chain.map((seq) => live[seq].type);
  const find = (type: string, data: Partial<Record<string, number>>, after = -1): MachineEvent => {
    const found = live.find(
      (event) =>
        event.seq > after && event.type === type && Object.entries(data).every(([k, v]) => event.data[k] === v),
    );
    if (!found) throw new Error(`no ${type}`);
    return found;
  };

  it('tells the whole way: written by X, saved when X left, restored when X came back', () => {
    const read = find('fpregs.read', { task: 2 });
    const origin = valueAt(log, { in: 'fpregs', index: 0, component: X87 }, read.seq);
    expect(origin).toMatchObject({ value: read.data.value, name: 'X#1', writer: 'X' });
    expect(typesOf(origin.chain)).toEqual(['fpregs.written', 'fpregs.saved', 'fpregs.restored']);
  });

  it('starts at INIT, with nothing to tell', () => {
    expect(valueAt(log, { in: 'fpregs', index: 0, component: X87 }, -1)).toEqual({
      value: INIT,
      chain: [],
      name: 'INIT',
      writer: 'nobody',
    });
  });

  it('knows the image of a task that does not run', () => {
    const saved = find('fpregs.saved', { fpstate: 2 }, find('fpregs.written', { value: 0x300001 }).seq);
    const origin = valueAt(log, { in: 'fpstate', index: 2, component: X87 }, saved.seq);
    expect(origin.name).toBe('X#1');
    expect(origin.chain.at(-1)).toBe(saved.seq);
  });

  it("gives a child its parent's latest values, made where the parent made them", () => {
    const forked = read(record({ scenario: 'fork-exec-exit', preset: 'linux-4.2', platform: 'bare-metal' }).text);
    const tracker = trackProvenance(forked.header);
    const fork = forked.events.findIndex((event) => event.type === 'task.forked');
    for (const event of forked.events.slice(0, fork + 1)) tracker.observe(event);
    const { parent, child } = forked.events[fork].data;
    const origin = tracker.latestOf(child, 1);
    expect(origin.value).not.toBe(INIT);
    expect(origin).toEqual(tracker.latestOf(parent, 1));
    expect(forked.events[origin.chain[0]].type).toBe('fpregs.written');
  });
});
