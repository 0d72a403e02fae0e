import { StateLayout, type FieldDeclaration } from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';

const SIZES = { machine: 1, cpu: 2, task: 3, fpstate: 5 };

const field = (name: string, space: FieldDeclaration['space'], width = 1, initial = 0): FieldDeclaration => ({
  name,
  space,
  kind: 'number',
  width,
  initial,
});

describe('a state layout', () => {
  const layout = new StateLayout(SIZES, [
    field('serial', 'machine'),
    field('cr0', 'cpu', 1, 0x3b),
    field('fpregs', 'cpu', 3),
    field('owner', 'task', 1, -1),
    field('image', 'fpstate', 2, 7),
  ]);

  it('lays fields one behind the other: instances times width words each', () => {
    expect(layout.fields.map(({ name, base, instances, width }) => [name, base, instances, width])).toEqual([
      ['serial', 0, 1, 1],
      ['cr0', 1, 2, 1],
      ['fpregs', 3, 2, 3],
      ['owner', 9, 3, 1],
      ['image', 12, 5, 2],
    ]);
    expect(layout.words).toBe(22);
  });

  it('starts every word at its initial value', () => {
    expect([...layout.initialState()]).toEqual([
      0, // serial
      ...[0x3b, 0x3b], // cr0
      ...[0, 0, 0, 0, 0, 0], // fpregs
      ...[-1, -1, -1], // owner
      ...[7, 7, 7, 7, 7, 7, 7, 7, 7, 7], // image
    ]);
  });

  it('makes a new array for every initial state', () => {
    expect(layout.initialState()).not.toBe(layout.initialState());
  });

  it('finds fields by name', () => {
    expect(layout.find('owner')?.base).toBe(9);
    expect(layout.find('nothing')).toBeUndefined();
    expect(layout.field('image').kind).toBe('number');
    expect(() => layout.field('nothing')).toThrow("fpulab bug: no field 'nothing'");
  });

  it('FPU205 when two fields have one name', () => {
    const error = fpuErrorOf(() => new StateLayout(SIZES, [field('x', 'cpu'), field('y', 'cpu'), field('x', 'task')]));
    expect(error.code).toBe('FPU205');
    expect(error.message).toBe("the field 'x' is declared twice");
    expect(error.detail).toEqual({ field: 'x' });
  });
});
