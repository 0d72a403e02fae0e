/**
 * When a component is in use (XINUSE): the manuals let processors differ, and they do.
 *
 * @see Intel SDM Vol. 1 "Processor Tracking of XSAVE-Managed State" (13.6): XINUSE[i] may be 1 although component i is in its initial
 *   configuration; "Operation of XRSTOR" (13.8): what is loaded is in use
 */

/**
 * How a processor tracks it. `value`: by comparing the registers with their initial values. `load`: whatever is loaded or written is in use
 * until an instruction that is defined to does it returns it to the initial configuration. `loaded-value`: what XRSTOR and FXRSTOR load is
 * compared; what other instructions write is in use whatever it is, but for those that can only give zero.
 */
export type InitTracking = 'value' | 'load' | 'loaded-value';

/**
 * How a value came into registers. `memory`: XRSTOR, FXRSTOR and their like loaded it. `init`: XRSTOR, VZEROALL, VZEROUPPER, LDTILECFG or
 * TILERELEASE gave them their initial values. `write`: an instruction wrote them. `zero`: one that gives zero whatever they held (XORPS of a
 * register with itself), or a copy of the upper part of another register. `clear`: VEX or EVEX cleared what lies above the operand.
 */
export type Origin = 'memory' | 'init' | 'write' | 'zero' | 'clear';

/**
 * Whether a component is in use after its registers changed.
 *
 * @param initial its registers now hold their initial values
 * @param before it was in use before
 */
export function inUseAfter(tracking: InitTracking, origin: Origin, initial: boolean, before: boolean): boolean {
  switch (tracking) {
    case 'value':
      return !initial;
    case 'loaded-value':
      return origin === 'write' || !initial;
    case 'load':
      // Outside 64-bit mode a part of the registers keeps its values.
      if (origin === 'init') return !initial;
      return origin === 'clear' ? before : true;
  }
}

/**
 * How x87 state changed. `control`: FNINIT, FNSAVE, FNCLEX and FLDENV; `keep`: no data register was written.
 */
export type X87Origin = 'memory' | 'init' | 'control' | 'write' | 'keep';
