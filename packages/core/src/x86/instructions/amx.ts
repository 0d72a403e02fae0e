/**
 * AMX: the instructions that configure and clear tiles, and tile loads as far as they touch state.
 *
 * Source: Intel SDM Vol. 2 "LDTILECFG", "STTILECFG", "TILERELEASE", "TILEZERO", "TILELOADD", "Intel AMX Instruction Exception
 * Classes" (2.10); Vol. 1 "Extended Feature Disable" (13.14).
 */
import { TILECFG, TILEDATA } from '../components';
import { VECTOR, fault, type Fault } from '../faults';
import type { FaultReason } from '../fault-reasons';
import type { Instruction } from '../instruction';
import type { Processor } from '../processor';
import { operandFault } from './operands';
import { extendedFeatureDisabled } from './xfd';

/** Palette 1, the only one (CPUID leaf 1DH, sub-leaf 1). */
const PALETTE = { id: 1, tiles: 8, rowsMax: 16, bytesPerRowMax: 64, bytesPerTile: 1024 };
const CONFIG_BYTES = 64;
const AT = { palette: 0, startRow: 1, reserved: 2, bytesPerRow: 16, reservedWords: 32, rows: 48, reservedTail: 56 };

/** Why LDTILECFG refuses a configuration with #GP(0). */
function tileConfigurationFault(config: Uint8Array): FaultReason | undefined {
  if (config[AT.palette] === 0) return undefined;
  if (config[AT.palette] !== PALETTE.id) return 'tile-palette';
  const zero = (from: number, to: number): boolean => config.subarray(from, to).every((byte) => byte === 0);
  const reserved =
    zero(AT.reserved, AT.bytesPerRow) && zero(AT.reservedWords, AT.rows) && zero(AT.reservedTail, CONFIG_BYTES);
  if (!reserved) return 'tile-reserved';
  const shapes = Array.from({ length: PALETTE.tiles }, (_, tile) => shapeOf(config, tile));
  const fits = ({ rows, bytesPerRow }: TileShape): boolean =>
    rows <= PALETTE.rowsMax && bytesPerRow <= PALETTE.bytesPerRowMax && (rows === 0) === (bytesPerRow === 0);
  return shapes.every(fits) ? undefined : 'tile-shape';
}

/** True when XRSTOR loads this TILECFG as it is; it initialises the register otherwise. */
export function isLoadableTileConfiguration(config: Uint8Array): boolean {
  return config[AT.palette] !== 0 && tileConfigurationFault(config) === undefined;
}

interface TileShape {
  readonly rows: number;
  readonly bytesPerRow: number;
}

function shapeOf(config: Uint8Array, tile: number): TileShape {
  const word = AT.bytesPerRow + 2 * tile;
  return { rows: config[AT.rows + tile], bytesPerRow: config[word] | (config[word + 1] << 8) };
}

/** LDTILECFG: TILEDATA becomes zero; palette 0 releases the tiles. */
export function ldtilecfg(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = operandFault(cpu, instruction, CONFIG_BYTES, 'read', 1);
  if (refused) return refused;
  const config = cpu.read(cpu.operandAddress(instruction), CONFIG_BYTES);
  const reason = tileConfigurationFault(config);
  if (reason) return fault(VECTOR.GP, reason);
  if (config[AT.palette] === 0) return tilerelease(cpu);
  cpu.load(TILECFG, config, 'write');
  cpu.initialise(TILEDATA);
  return undefined;
}

/** STTILECFG: 64 zero bytes when no tiles are configured. */
export function sttilecfg(cpu: Processor, instruction: Instruction): Fault | undefined {
  if (cpu.deviates('no-sttilecfg')) return fault(VECTOR.UD, 'no-such-feature');
  const refused = operandFault(cpu, instruction, CONFIG_BYTES, 'write', 1);
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), cpu.component(TILECFG).slice());
  return undefined;
}

/** TILERELEASE: both components to their initial configuration, XFD or not. */
export function tilerelease(cpu: Processor): undefined {
  cpu.initialise(TILECFG);
  cpu.initialise(TILEDATA);
  return undefined;
}

/** TILEZERO. */
export function tilezero(cpu: Processor, { reg }: Instruction): Fault | undefined {
  const refused = tileFault(cpu, reg);
  if (refused) return refused;
  const data = cpu
    .component(TILEDATA)
    .slice()
    .fill(0, reg * PALETTE.bytesPerTile, (reg + 1) * PALETTE.bytesPerTile);
  cpu.load(TILEDATA, data, 'zero');
  endRows(cpu);
  return undefined;
}

/** TILELOADD and TILELOADDT1: rows from memory, what lies behind their bytes and behind the last row becomes zero. */
export function tileload(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = shapedTileFault(cpu, instruction.reg);
  if (refused) return refused;
  const { rows, bytesPerRow } = shapeOf(cpu.component(TILECFG), instruction.reg);
  const tile = instruction.reg * PALETTE.bytesPerTile;
  const first = startRow(cpu);
  const data = cpu.component(TILEDATA).slice();
  data.fill(0, tile + first * PALETTE.bytesPerRowMax, tile + PALETTE.bytesPerTile);
  for (let row = first; row < rows; row++) {
    const address = rowAddress(cpu, instruction, row);
    const missing = rowFault(cpu, instruction, address, bytesPerRow, 'read', row);
    if (missing) {
      cpu.load(TILEDATA, data, 'write');
      return missing;
    }
    data.set(cpu.read(address, bytesPerRow), tile + row * PALETTE.bytesPerRowMax);
  }
  cpu.load(TILEDATA, data, 'write');
  endRows(cpu);
  return undefined;
}

/** TILESTORED. */
export function tilestore(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = shapedTileFault(cpu, instruction.reg);
  if (refused) return refused;
  const { rows, bytesPerRow } = shapeOf(cpu.component(TILECFG), instruction.reg);
  for (let row = startRow(cpu); row < rows; row++) {
    const address = rowAddress(cpu, instruction, row);
    const missing = rowFault(cpu, instruction, address, bytesPerRow, 'write', row);
    if (missing) return missing;
    const from = instruction.reg * PALETTE.bytesPerTile + row * PALETTE.bytesPerRowMax;
    cpu.write(address, cpu.component(TILEDATA).slice(from, from + bytesPerRow));
  }
  endRows(cpu);
  return undefined;
}

/**
 * Tile arithmetic: what it computes is not modelled. #UD when two of its three tiles are the same, or their shapes do not fit.
 *
 * @see Intel SDM Vol. 2A "Intel AMX Instruction Exception Classes" (2.10), class AMX-E4
 */
export function tileArithmetic(cpu: Processor, { operands }: Instruction): Fault | undefined {
  const tiles = operands.map((operand) => (operand.kind === 'register' ? operand.number : 0));
  const refused = tiles.map((tile) => configurationFault(cpu, tile)).find((found) => found !== undefined);
  if (refused) return refused;
  const [sum, left, right] = tiles.map((tile) => shapeOf(cpu.component(TILECFG), tile));
  const usable = [sum, left, right].every(({ rows, bytesPerRow }) => rows > 0 && bytesPerRow % 4 === 0);
  const fits = sum.rows === left.rows && sum.bytesPerRow === right.bytesPerRow && left.bytesPerRow === 4 * right.rows;
  if (new Set(tiles).size < tiles.length || !usable || !fits) return fault(VECTOR.UD, 'tile-shapes-differ');
  const disabled = tilesDisabled(cpu);
  if (disabled) return disabled;
  cpu.emit({ type: 'result-undetermined', what: { components: 1 << TILEDATA } });
  endRows(cpu);
  return undefined;
}

/** Every #UD comes before the #NM of IA32_XFD: the manual gives no order between them. */
function tileFault(cpu: Processor, tile: number): Fault | undefined {
  return configurationFault(cpu, tile) ?? tilesDisabled(cpu);
}

/** #UD without a palette or tile. */
function configurationFault(cpu: Processor, tile: number): Fault | undefined {
  if (cpu.component(TILECFG)[AT.palette] === 0) return fault(VECTOR.UD, 'tiles-not-configured');
  return tile >= PALETTE.tiles ? fault(VECTOR.UD, 'tile-not-in-palette') : undefined;
}

function tilesDisabled(cpu: Processor): Fault | undefined {
  const disabled = cpu.control.xfd & (1 << TILEDATA);
  return disabled ? extendedFeatureDisabled(cpu, disabled) : undefined;
}

function shapedTileFault(cpu: Processor, tile: number): Fault | undefined {
  const refused = configurationFault(cpu, tile);
  if (refused) return refused;
  const { rows, bytesPerRow } = shapeOf(cpu.component(TILECFG), tile);
  const usable = rows > 0 && bytesPerRow % 4 === 0 && startRow(cpu) < rows;
  return usable ? tilesDisabled(cpu) : fault(VECTOR.UD, 'tile-not-in-palette');
}

function startRow(cpu: Processor): number {
  return cpu.component(TILECFG)[AT.startRow];
}

/** SIB addressing: the index register is the stride, not scaled by a row number in the operand. */
function rowAddress(cpu: Processor, instruction: Instruction, row: number): bigint {
  const { memory } = instruction;
  if (!memory) throw new Error('fpulab bug: no tile operand');
  const stride = memory.index === undefined ? 0n : cpu.register(memory.index) * BigInt(memory.scale);
  return BigInt.asUintN(64, cpu.address({ ...memory, index: undefined }, instruction.length) + stride * BigInt(row));
}

/** A fault in the middle is restartable: TILECFG remembers the row. */
function rowFault(
  cpu: Processor,
  { memory }: Instruction,
  address: bigint,
  bytes: number,
  access: 'read' | 'write',
  row: number,
): Fault | undefined {
  const missing = cpu.canonicalFault(address, memory) ?? cpu.probeRange(address, bytes, access);
  if (missing) setStartRow(cpu, row);
  return missing;
}

function endRows(cpu: Processor): void {
  setStartRow(cpu, 0);
}

function setStartRow(cpu: Processor, row: number): void {
  const config = cpu.component(TILECFG);
  if (config[AT.startRow] === row) return;
  const changed = config.slice();
  changed[AT.startRow] = row;
  cpu.load(TILECFG, changed, 'write');
}
