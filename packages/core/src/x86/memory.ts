/** Linear memory as an instruction sees it: bytes on pages that are there or not, writable or not. */
import { VECTOR, type Fault } from './faults';

/** Bytes of a page. */
export const PAGE_BYTES = 4096n;

/** How memory is touched. */
export type Access = 'read' | 'write';

/** A mapped range. */
export interface Region {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  readonly writable: boolean;
}

/** Mapped regions; everything else is not present. */
export class Memory {
  constructor(readonly regions: readonly Region[]) {}

  /**
   * The fault that touching this byte raises.
   *
   * @see Intel SDM Vol. 3A "Interrupt 14 - Page-Fault Exception (#PF)": error code P, W/R, U/S
   */
  probe(address: bigint, access: Access, user: boolean): Fault | undefined {
    const region = this.regionOf(address);
    if (region && (access === 'read' || region.writable)) return undefined;
    const errorCode = (region ? 1 : 0) | (access === 'write' ? 2 : 0) | (user ? 4 : 0);
    return { vector: VECTOR.PF, errorCode, address, reason: region ? 'page-read-only' : 'page-not-present' };
  }

  /** A copy of a range that has been probed. */
  read(address: bigint, length: number): Uint8Array {
    const region = this.regionOf(address);
    const start = region ? Number(address - region.base) : 0;
    if (region && start + length <= region.bytes.length) return region.bytes.slice(start, start + length);
    return Uint8Array.from({ length }, (_, index) => this.byteAt(address + BigInt(index)));
  }

  /** Writes a range that has been probed. Called by `apply` alone. */
  write(address: bigint, bytes: Uint8Array): void {
    const region = this.regionOf(address);
    if (!region) throw new Error(`fpulab bug: write to unmapped 0x${address.toString(16)}`);
    const start = Number(address - region.base);
    const here = Math.min(bytes.length, region.bytes.length - start);
    region.bytes.set(bytes.subarray(0, here), start);
    if (here < bytes.length) this.write(address + BigInt(here), bytes.subarray(here));
  }

  private byteAt(address: bigint): number {
    const region = this.regionOf(address);
    if (!region) throw new Error(`fpulab bug: read of unmapped 0x${address.toString(16)}`);
    return region.bytes[Number(address - region.base)];
  }

  private regionOf(address: bigint): Region | undefined {
    return this.regions.find(({ base, bytes }) => address >= base && address < base + BigInt(bytes.length));
  }
}
