/**
 * Fused multiply-add: ten operations, each with three orders of its operands, with the same opcodes under VEX and EVEX.
 *
 * Source: Intel SDM Vol. 2C, VFMADD132PD and following.
 */

const OPERATIONS = [
  ...['6 VFMADDSUB?P*', '7 VFMSUBADD?P*', '8 VFMADD?P*', '9 VFMADD?S*', 'A VFMSUB?P*', 'B VFMSUB?S*'],
  ...['C VFNMADD?P*', 'D VFNMADD?S*', 'E VFNMSUB?P*', 'F VFNMSUB?S*'],
];
const ORDERS = ['9 132', 'A 213', 'B 231'];

function line(operation: string, order: string): string {
  const [low, mnemonic] = operation.split(' ');
  const [high, digits] = order.split(' ');
  const operands = mnemonic.endsWith('?S*') ? 'Vs,Hs,Ws' : 'Vx,Hx,Wx bcast';
  return `${high}${low} 66 ${mnemonic.replace('?', digits)} ${operands} er`;
}

/** Lines in the shorthand of `macros.ts`; VEX gives `bcast` and `er` no meaning beyond SIMD arithmetic. */
export const FMA_LINES = ORDERS.flatMap((order) => OPERATIONS.map((operation) => line(operation, order))).join('\n');
