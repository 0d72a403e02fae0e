/** All opcode tables, by opcode. */
import type { Encoding } from '../encoding';
import type { Opcode } from '../prefixes';
import { EVEX_0F } from './evex-0f';
import { EVEX_38 } from './evex-38';
import { EVEX_3A } from './evex-3a';
import { GENERAL } from './general';
import { SIMD_0F, VEX_0F } from './simd-0f';
import { SIMD_38_3A, VEX_38_3A } from './simd-38-3a';
import { SYSTEM } from './system';
import { VEX_ONLY } from './vex';
import { X87_TABLE } from './x87';

/** Every encoding that the decoder knows. */
export const ENCODINGS: readonly Encoding[] = [
  ...[GENERAL, X87_TABLE, SYSTEM, SIMD_0F, SIMD_38_3A].flat(),
  ...[VEX_0F, VEX_38_3A, VEX_ONLY].flat(),
  ...[EVEX_0F, EVEX_38, EVEX_3A].flat(),
];

/** How much a line demands: the more demanding of two that fit is meant (PAUSE, not NOP). */
function specificity({ reg, rm, prefix }: Encoding): number {
  return (rm !== undefined ? 4 : 0) + (reg !== undefined ? 2 : 0) + (prefix !== 'any' ? 1 : 0);
}

type OpcodeKey = Pick<Opcode, 'map' | 'opcode'>;

function keyOf(space: Opcode['encoding'], { map, opcode }: OpcodeKey): string {
  return `${space} ${map} ${opcode}`;
}

const byOpcode = new Map<string, Encoding[]>();
for (const encoding of [...ENCODINGS].sort((a, b) => specificity(b) - specificity(a))) {
  const key = keyOf(encoding.space, encoding);
  byOpcode.set(key, [...(byOpcode.get(key) ?? []), encoding]);
}

/** The encodings of an opcode, the most specific first; none if the opcode is in no table. */
export function encodingsOf(opcode: Opcode): readonly Encoding[] {
  return byOpcode.get(keyOf(opcode.encoding, opcode)) ?? [];
}
