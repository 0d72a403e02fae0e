import fc from 'fast-check';
import { MOVE_INSTRUCTIONS, type MachineEvent } from '@fpulab/core';
import { openReplay } from '@fpulab/eventlog';
import { EventCodec } from '../src/event-codec';
import { read, record } from './helpers';
import { holds } from './properties';

const { header } = read(record({ scenario: 'migration', stepsMax: 1 }).text);
const codec = (): EventCodec => new EventCodec(header, openReplay(header));

/** An event as it comes back from its line. */
function roundTrip(event: MachineEvent): MachineEvent {
  return codec().decode(JSON.parse(codec().encode(event)));
}

function event(type: string, data: Record<string, number>): MachineEvent {
  return { seq: 0, type, by: 'kernel', cause: -1, data };
}

describe('EventCodec', () => {
  it('puts cpu and task into the envelope and every other task into data', () => {
    expect(JSON.parse(codec().encode(event('hook.switch-out', { cpu: 1, task: 2, next: 3 })))).toEqual({
      seq: 0,
      t: '0',
      cpu: 1,
      stream: 'cpu/1',
      pos: 0,
      type: 'hook.switch-out',
      v: 1,
      by: 'kernel',
      task: 2,
      data: { next: 3 },
    });
  });

  it.each([
    ['a CPU', event('fpregs.saved', { cpu: 1, fpstate: 0, xfeatures: 7, bytes: 832, instruction: 4 }), 'cpu/1'],
    ['a task', event('validity.changed', { task: 2, from: 0, to: 1 }), 'task/2'],
    ['neither', event('fpstate.copied', { from: 0, to: 1 }), 'machine'],
    [
      'a CPU that is none',
      event('oracle.violated', { oracle: 6, cpu: -1, reader: 1, component: -1, value: 0, expected: 0 }),
      'machine',
    ],
  ])('counts the positions of events with %s in their own stream', (_what, made, stream) => {
    const writer = codec();
    const first = JSON.parse(writer.encode(made));
    writer.encode(event('cpu.booted', { cpu: 0, task: 0 }));
    const second = JSON.parse(writer.encode({ ...made, seq: 2 }));
    expect([first.stream, first.pos, second.stream, second.pos]).toEqual([stream, 0, stream, 1]);
    expect(roundTrip(made)).toEqual(made);
  });

  it('writes 32 bits unsigned and reads them back signed, as the state holds them', () => {
    const choice = event('choice.made', { kind: 1, taken: 2, index: 0, count: 3, enabled: -1 });
    expect(JSON.parse(codec().encode(choice)).data.enabled).toBe('0xffffffff');
    expect(roundTrip(choice)).toEqual(choice);
  });

  it('names every word of the state: slots by instance, core fields by element too', () => {
    const { words, layout } = openReplay(header);
    const nameOf = (slot: number): string =>
      JSON.parse(codec().encode(event('slot.written', { slot, value: 1 }))).data.slot;
    expect(nameOf(layout.field('lazy-cr0-ts.fpu_owner_task').base + 1)).toBe('lazy-cr0-ts.fpu_owner_task[1]');
    expect(nameOf(layout.field('cpu.fpregs').base + 5)).toBe('cpu.fpregs[1][2]');
    const names = new Set(Array.from(words, (_, slot) => nameOf(slot)));
    expect(names.size).toBe(words.length);
    for (let slot = 0; slot < words.length; slot += 7) {
      const written = event('slot.written', { slot, value: -1 });
      expect(roundTrip(written)).toEqual(written);
    }
  });

  it.each([
    'xen-pv.guest_ts[9]',
    'xen-pv.guest_ts[00]',
    'xen-pv.guest_ts',
    'xen-pv.guest_ts[0][0]',
    'cpu.cr0[-1]',
    '[0]',
  ])('does not know the slot %s', (slot) => {
    const line = JSON.parse(codec().encode(event('slot.written', { slot: 0, value: 1 })));
    expect(() => codec().decode({ ...line, data: { slot, value: 1 } })).toThrow('slot.written.slot is a slot like');
  });

  it.each([
    ['fpregs.saved', ['FNSAVE', 'FXSAVE', 'XSAVE']],
    ['fpregs.restored', ['FRSTOR', 'FXRSTOR', 'XRSTOR']],
  ] as const)('%s names its instruction by its mnemonic: %j', (type, mnemonics) => {
    for (const mnemonic of mnemonics) {
      const instruction = MOVE_INSTRUCTIONS.indexOf(mnemonic);
      const moved = event(type, { cpu: 0, fpstate: 1, xfeatures: 7, bytes: 832, instruction });
      expect(JSON.parse(codec().encode(moved)).data).toEqual({
        fpstate: 1,
        xfeatures: '0x7',
        bytes: 832,
        instruction: mnemonic,
      });
      expect(roundTrip(moved)).toEqual(moved);
    }
  });

  it.each(['XSAVEC', 'xsave', '', '4', 4, -1])('does not know the instruction %j', (instruction) => {
    const saved = { cpu: 0, fpstate: 1, xfeatures: 7, bytes: 832, instruction: 4 };
    const line = JSON.parse(codec().encode(event('fpregs.saved', saved)));
    expect(() => codec().decode({ ...line, data: { ...line.data, instruction } })).toThrow(
      `fpregs.saved.instruction is an instruction like "XSAVE", found ${JSON.stringify(instruction)}`,
    );
  });

  it('names the step that met a trap', () => {
    const at = header.steps.indexOf('schedule/pick_next_task');
    const trap = event('trap.raised', { cpu: 0, task: 1, vector: 7, user: 0, at });
    expect(JSON.parse(codec().encode(trap)).data).toEqual({ vector: 7, user: 0, at: 'schedule/pick_next_task' });
    expect(roundTrip(trap)).toEqual(trap);
  });

  it('keeps any number that a state can hold', () => {
    holds(
      fc.property(fc.integer(), fc.integer(), (value, mask) => {
        const local = event('local.written', { cpu: 0, task: 0, frame: 0, index: 1, value });
        const cr0 = event('cr0.written', { cpu: 0, value: mask });
        expect(roundTrip(local)).toEqual(local);
        expect(roundTrip(cr0)).toEqual(cr0);
      }),
    );
  });

  it('refuses to write what no machine can emit: that would be a bug of ours', () => {
    const bad = [
      event('task.teleported', {}),
      event('cpu.booted', { cpu: 2, task: 0 }),
      event('cpu.booted', { cpu: 0 }),
      event('slot.written', { slot: 1e6, value: 0 }),
      event('kernel.stepped', { cpu: 0, task: 0, at: header.steps.length, next: 1 }),
      event('fpregs.saved', { cpu: 0, fpstate: 0, xfeatures: 7, bytes: 832, instruction: MOVE_INSTRUCTIONS.length }),
    ];
    for (const one of bad) expect(() => codec().encode(one)).toThrow('fpulab bug');
  });
});
