/** The map of an area as text. */
import { xfeaturesName } from '@fpulab/core';
import type { Paint } from '@fpulab/eventlog';
import type { AreaRow } from './area-map';
import { hex, type AreaRequest } from './area-request';

/** One line a row, offsets in decimal and hexadecimal, gaps and total included. */
export function tableLines(request: AreaRequest, rows: readonly AreaRow[], paint: Paint): readonly string[] {
  const { layout } = request;
  const nameWidth = Math.max(...rows.map(({ name }) => name.length), 'component'.length);
  const columns = (cells: readonly string[]): string =>
    `  ${cells[0].padStart(6)} ${cells[1].padStart(7)} ${cells[2].padStart(6)} ${cells[3].padStart(6)} ${cells[4].padStart(4)}` +
    `  ${cells[5].padEnd(nameWidth)}  ${cells[6]}`;
  const lines = rows.map((row) => {
    const cells = [
      String(row.offset),
      hex(row.offset),
      String(row.size),
      row.align === undefined || row.align === 1 ? '' : String(row.align),
      row.bit === undefined ? '' : String(row.bit),
      row.name,
      row.text,
    ];
    return row.kind === 'component' ? columns(cells) : paint.dim(columns(cells));
  });
  return [
    paint.title(titleOf(request)),
    '',
    paint.head(columns(['offset', '', 'size', 'align', 'bit', 'component', 'registers']).trimEnd()),
    ...lines,
    paint.head(columns([String(layout.totalBytes), hex(layout.totalBytes), '', '', '', 'total', '']).trimEnd()),
  ];
}

/** `sapphire-rapids, standard form, mask 0x602e7: 11008 bytes` and the components. */
export function titleOf({ model, form, layout }: AreaRequest): string {
  return `${model.id}, ${form} form, mask ${hex(layout.mask)} (${xfeaturesName(layout.mask)}): ${layout.totalBytes} bytes`;
}
