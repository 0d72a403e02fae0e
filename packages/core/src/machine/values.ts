/**
 * Values: what a component in a register file or in a memory image holds.
 *
 * A value is an int32 id that carries its writer and a serial number; nothing has to be looked up to know whose it
 * is. Id 0 is the component's INIT state. Real bytes appear only when somebody asks.
 */

/** The INIT state of any component. */
export const INIT = 0;

/** Writers that are not tasks. Task `t` is principal `t + 1`. */
export const PRINCIPAL = {
  /** Nobody: the INIT state. */
  none: 0,
  /** A kernel FPU section. */
  kernel: 0x400,
  /** Another guest that ran on the same physical CPU. */
  otherGuest: 0x401,
  /** What the kernel gives every new program: a constant that is no secret. */
  kernelDefault: 0x402,
  /** The allocator of PASIDs: the serial is the number that a process got. */
  pasid: 0x403,
} as const;

/** The PKRU that Linux gives to new programs since 4.9: `init_pkru_value`, which is not PKRU's INIT state. */
export const DEFAULT_PKRU = (PRINCIPAL.kernelDefault << 20) | 1;

const SERIAL_BITS = 20;
const SERIAL_MASK = (1 << SERIAL_BITS) - 1;

/** The principal that stands for a task. */
export function principalOfTask(task: number): number {
  return task + 1;
}

/** The task of a principal, or -1 for the kernel, another guest, or nobody. */
export function taskOfPrincipal(principal: number): number {
  return principal > 0 && principal < PRINCIPAL.kernel ? principal - 1 : -1;
}

/** The id of the `serial`-th value that `principal` writes. Serials wrap after 2^20 - 1 writes and skip 0. */
export function valueId(principal: number, serial: number): number {
  return (principal << SERIAL_BITS) | (serial & SERIAL_MASK);
}

/** Who wrote a value; `PRINCIPAL.none` for INIT. */
export function writerOf(value: number): number {
  return value >>> SERIAL_BITS;
}

/** How many values its writer had written up to and including this one. */
export function serialOf(value: number): number {
  return value & SERIAL_MASK;
}

/** The serial after `serial`. */
export function nextSerial(serial: number): number {
  return serial === SERIAL_MASK ? 1 : serial + 1;
}

/**
 * The bytes that a value stands for: its id as a little-endian doubleword, repeated; zeros for INIT.
 *
 * @param sizeBytes size of the component
 */
export function valueBytes(value: number, sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (value >>> (8 * (index % 4))) & 0xff);
}

/** The value whose bytes these are; undefined when they are the bytes of none. */
export function valueOfBytes(bytes: Uint8Array): number | undefined {
  const value = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24);
  return bytes.every((byte, index) => byte === ((value >>> (8 * (index % 4))) & 0xff)) ? value : undefined;
}
