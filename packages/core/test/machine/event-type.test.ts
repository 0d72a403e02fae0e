import { applyEvent, eventType, eventTypes, events, isEvent, type MachineEvent } from '@fpulab/core';
import { defineEvent, defineHook, eventObject } from '../../src/machine/event-type';
import { fpuErrorOf } from '../support/errors';
import { changedWords, smallState } from '../support/states';

describe('event types', () => {
  it('have unique dotted names in lower case and dense ids', () => {
    const types = eventTypes();
    expect(new Set(types.map(({ name }) => name)).size).toBe(types.length);
    types.forEach((type, index) => {
      expect(type.name).toMatch(/^[a-z0-9-]+\.[a-z0-9-]+$/);
      expect(type.id).toBe(index);
      expect(eventType(type.name)).toBe(type);
    });
  });

  it('have at most six fields: what apply can take', () => {
    for (const { fieldNames, fields } of eventTypes()) {
      expect(fieldNames.length).toBeLessThanOrEqual(6);
      expect(fieldNames).toEqual(Object.keys(fields));
    }
  });

  it('are hooks exactly when their name says so', () => {
    for (const { name, hook } of eventTypes()) expect(hook).toBe(name.startsWith('hook.'));
  });

  it('are local when no other CPU can tell when they happen: hooks, and these', () => {
    const local = eventTypes().filter((type) => type.local);
    expect(local.filter(({ hook }) => !hook).map(({ name }) => name)).toEqual([
      'choice.made',
      'kernel.stepped',
      'kernel.reached',
      'context.entered',
      'routine.entered',
      'masks.changed',
      'local.written',
      'kernel.might-sleep',
      'cr0.written',
      'trap.raised',
      'hypercall.made',
      'fpregs.restore-skipped',
      'guest.entered',
      'guest.exited',
      'slot.written',
    ]);
    for (const { hook, local } of eventTypes()) if (hook) expect(local).toBe(true);
  });

  it('an unknown name has no type', () => {
    expect(eventType('fpregs.eaten')).toBeUndefined();
  });

  it('FPU205 when a name is declared twice, as event or hook', () => {
    for (const declare of [() => defineEvent('fpregs.saved', {}, () => {}), () => defineHook('fpregs.saved', {})]) {
      const error = fpuErrorOf(declare);
      expect(error.code).toBe('FPU205');
      expect(error.message).toBe("the event type 'fpregs.saved' is declared twice");
    }
  });
});

describe('event objects', () => {
  const header = { seq: 7, by: 'kernel', cause: 3 };

  it('carry header and named data, and nothing of the unused arguments', () => {
    expect(eventObject(events.TaskSlept, header, [1, 2, 0, 0, 0, 0])).toEqual({
      seq: 7,
      type: 'task.slept',
      by: 'kernel',
      cause: 3,
      data: { cpu: 1, task: 2 },
    });
  });

  it('list their data in the order of the declaration, which logs rely on', () => {
    const event = eventObject(events.OracleViolated, header, [1, 2, 3, 4, 5, 6]);
    expect(Object.entries(event.data)).toEqual([
      ['oracle', 1],
      ['cpu', 2],
      ['reader', 3],
      ['component', 4],
      ['value', 5],
      ['expected', 6],
    ]);
  });

  it('isEvent tells them apart by type', () => {
    const event: MachineEvent = eventObject(events.TaskSlept, header, [0, 1, 0, 0, 0, 0]);
    expect(isEvent(event, events.TaskSlept)).toBe(true);
    expect(isEvent(event, events.TaskPicked)).toBe(false);
  });

  it('applyEvent does to a state what emitting did, whatever the order of the keys', () => {
    const state = smallState();
    const before = state.words.slice();
    applyEvent(state, events.TaskSwitched, { next: 2, prev: 0, cpu: 1 });
    expect(changedWords(state, before)).toEqual({ 'cpu.current[1]': 2, 'task.last-ran[2]': 1 });
  });
});
