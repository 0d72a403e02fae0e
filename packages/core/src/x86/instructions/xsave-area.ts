/** What XSAVE, XRSTOR, FXSAVE and FXRSTOR have in common: how they reach their area, and what they do when a page of it is missing. */
import { VECTOR, fault, type Fault } from '../faults';
import type { Write } from '../image/image';
import type { Instruction } from '../instruction';
import { EXTENDED_OFFSET, type AreaLayout, type Placement } from '../layout';
import { PAGE_BYTES, type Access } from '../memory';
import type { Processor } from '../processor';

const AREA_ALIGN = 64n;

/** #GP of an area that is not canonical or not aligned to 64 bytes, whatever RFBM and EFLAGS.AC are. */
export function areaAddressFault(cpu: Processor, { memory }: Instruction, address: bigint): Fault | undefined {
  const nonCanonical = cpu.canonicalFault(address, memory);
  if (nonCanonical) return nonCanonical;
  return address % AREA_ALIGN === 0n ? undefined : fault(VECTOR.GP, 'misaligned');
}

/**
 * The page fault that a transfer between registers and an area meets before it has begun.
 *
 * A processor that looks before it moves probes the first byte and the last byte that the components need (init and unmodified
 * ones count). One that goes in order meets it later, in `writeInOrder`. Of one that may have moved any part, the first missing page is
 * reported.
 */
export function areaPageFault(cpu: Processor, address: bigint, layout: AreaLayout, access: Access): Fault | undefined {
  const bytes = Math.max(layout.totalBytes, EXTENDED_OFFSET);
  switch (cpu.model.behaviour.pageFault) {
    case 'before-transfer':
      return (
        cpu.probe(address, access) ??
        cpu.probe(address + BigInt(bytes - 1), access) ??
        cpu.probeRange(address, bytes, access)
      );
    case 'any-part':
      return cpu.probeRange(address, bytes, access);
    case 'in-order':
      return undefined;
  }
}

/** Components that had been transferred when the page fault came, where that is the processor's choice. */
export function transferredBeforeFault(
  cpu: Processor,
  { address, layout, mask, access }: { address: bigint; layout: AreaLayout; mask: number; access: Access },
): number {
  if (cpu.model.behaviour.pageFault !== 'any-part') return 0;
  const isThere = ({ bit, offset, size }: Placement): boolean =>
    (mask & (1 << bit)) !== 0 && !cpu.probeRange(address + BigInt(offset), size, access);
  const candidates = layout.components.filter(isThere).reduce((all, { bit }) => all | (1 << bit), 0);
  return candidates && cpu.choices.transferredBeforeFault(candidates) & candidates;
}

/** Writes one after the other. Where a page is missing, what comes before it has been written. */
export function writeInOrder(cpu: Processor, address: bigint, writes: readonly Write[]): Fault | undefined {
  for (const { offset, bytes } of writes) {
    const start = address + BigInt(offset);
    const missing = cpu.probeRange(start, bytes.length, 'write');
    if (!missing) {
      cpu.write(start, bytes);
      continue;
    }
    const written = bytesBefore(start, missing);
    if (written > 0) cpu.write(start, bytes.subarray(0, written));
    return missing;
  }
  return undefined;
}

/** Bytes from `start` to the page that is missing. */
function bytesBefore(start: bigint, { address = start }: Fault): number {
  return Number((address / PAGE_BYTES) * PAGE_BYTES > start ? address - start : 0n);
}
