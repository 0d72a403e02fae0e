import { assert, FpuError } from '../error';

/** What a field exists once per: the whole machine, a CPU, a task, or a memory image (fpstate). */
export type Space = 'machine' | 'cpu' | 'task' | 'fpstate';

/** What a field's number means: how it is shown, how it is scrambled, and which numbers symmetry may rename. */
export type FieldKind = 'flag' | 'number' | 'task' | 'cpu' | 'value' | 'pc' | 'bits';

/** One declared field of the packed state. */
export interface FieldDeclaration {
  readonly name: string;
  readonly space: Space;
  readonly kind: FieldKind;
  /** Words per instance: 1, or the number of components, frames, ... */
  readonly width: number;
  readonly initial: number;
  /** Of a field of the kind `value` with one word per instance: the component that the value is of. */
  readonly component?: number;
}

/** A field with its place: instance `i`, element `k` is word `base + i * width + k`. */
export interface Field extends FieldDeclaration {
  readonly base: number;
  readonly instances: number;
}

/** How many instances each space has. */
export type SpaceSizes = Readonly<Record<Space, number>>;

/**
 * Where every piece of machine state lies in the one Int32Array.
 *
 * Built once per composition; tools and logs use it to name words.
 */
export class StateLayout {
  readonly fields: readonly Field[];
  readonly sizes: SpaceSizes;
  /** Length of the state in 32-bit words. */
  readonly words: number;
  private readonly byName = new Map<string, Field>();

  constructor(sizes: SpaceSizes, declarations: readonly FieldDeclaration[]) {
    this.sizes = sizes;
    let base = 0;
    this.fields = declarations.map((declaration) => {
      const field: Field = { ...declaration, base, instances: sizes[declaration.space] };
      if (this.byName.has(field.name)) {
        throw new FpuError('FPU205', `the field '${field.name}' is declared twice`, { field: field.name });
      }
      this.byName.set(field.name, field);
      base += field.instances * field.width;
      return field;
    });
    this.words = base;
  }

  /** The field of this name, or undefined. */
  find(name: string): Field | undefined {
    return this.byName.get(name);
  }

  /** The field of this name; it must exist. */
  field(name: string): Field {
    const field = this.byName.get(name);
    assert(field, `no field '${name}'`);
    return field;
  }

  /** A state with every field at its initial value. */
  initialState(): Int32Array {
    const words = new Int32Array(this.words);
    for (const field of this.fields) {
      words.fill(field.initial, field.base, field.base + field.instances * field.width);
    }
    return words;
  }
}
