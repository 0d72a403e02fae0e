/** The x86 model: what moving state costs as values, and what its images cost as bytes. */
import {
  TILEDATA,
  X87,
  X87_INIT,
  areaLayout,
  componentBits,
  cpuModel,
  createState,
  decodeImage,
  encodeImage,
  events,
  xcompBvOf,
  type AreaForm,
  type XsaveImage,
} from '@fpulab/core';
import { best, line } from './bare-loop';

const MODEL = cpuModel('sapphire-rapids');
const ROUNDS = 5;
const MOVES = 3_000_000;
const IMAGE_BYTES = 400_000_000;
const MB = 1e6;

/** One line per path. */
export function x86Speed(baseline: number): readonly string[] {
  const x87 = moves(1 << X87);
  const amx = moves(1 << TILEDATA);
  return [
    line('move-x87', 'save+restore', x87, baseline),
    `${line('move-amx', 'save+restore', amx, baseline)} amx-cost-over-x87=${(x87 / amx).toFixed(2)}`,
    ...imageLines('standard'),
    ...imageLines('compacted'),
  ];
}

/** Saves and restores of a component between registers and an fpstate, as the machine does them: events applied. */
function moves(mask: number): number {
  const sizes = { machine: 1, cpu: 1, task: 2, fpstate: 3 } as const;
  const dimensions = { sizes, componentBits: componentBits(MODEL), stackDepth: 1, fpstateEmbedded: true };
  const state = createState(dimensions, []);
  return best(ROUNDS, () => {
    for (let count = 0; count < MOVES; count++) {
      events.FpregsSaved.apply(state, 0, count & 1, mask, 0, 0, 0);
      events.FpregsRestored.apply(state, 0, count & 1, mask, 0, 0, 0);
    }
    return MOVES;
  });
}

/** A full image of all user components, into an area and back. */
function imageLines(form: AreaForm): readonly string[] {
  const layout = areaLayout(MODEL, MODEL.xcr0, form);
  const components = new Map(
    layout.components.filter(({ bit }) => bit !== X87).map(({ bit, size }) => [bit, new Uint8Array(size).fill(bit)]),
  );
  const image: XsaveImage = {
    form,
    layout,
    wide: true,
    xstateBv: BigInt(MODEL.xcr0),
    xcompBv: form === 'standard' ? 0n : xcompBvOf(MODEL.xcr0),
    mxcsr: { value: 0x1f80, mask: MODEL.mxcsrMask },
    x87: { ...X87_INIT, ftw: 0xff },
    components,
  };
  const area = new Uint8Array(layout.totalBytes);
  const count = Math.ceil(IMAGE_BYTES / layout.totalBytes);
  const encoded = best(ROUNDS, () => repeat(count, () => encodeImage(image, area)));
  const how = { form, layout, wide: true };
  const decoded = best(ROUNDS, () => repeat(count, () => (decodeImage(area, how), layout.totalBytes)));
  const areaText = `area=${MODEL.id}/${form}/${layout.totalBytes}B`;
  return [
    `scenario=encode-${form} MB/s=${Math.round(encoded / MB)} ${areaText}`,
    `scenario=decode-${form} MB/s=${Math.round(decoded / MB)} ${areaText}`,
  ];
}

/** Does something so many times; returns the sum of what it returned. */
function repeat(count: number, work: () => number): number {
  let sum = 0;
  for (let done = 0; done < count; done++) sum += work();
  return sum;
}
