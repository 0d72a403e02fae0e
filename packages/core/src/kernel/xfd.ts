/**
 * Extended feature disable in the kernel machine: what raises #NM because of IA32_XFD, and how kernel code gets at the MSRs.
 *
 * Intel SDM Vol. 1 "Extended Feature Disable (XFD)" (13.14). The same rules as x86/instructions/{amx,xrstor,xsave}.ts have:
 * an instruction that uses a disabled component raises #NM and notes it in IA32_XFD_ERR, and so does XRSTOR that would load
 * one from its image. XRSTOR that puts it into INIT state, LDTILECFG and TILERELEASE do not; XSAVE* stores it as INIT.
 */
import { FpuError } from '../error';
import * as events from '../machine/events';
import type { EventStream } from '../machine/stream';

/** IA32_XFD and IA32_XFD_ERR, as kernel code reads and writes them. Bitmaps of components. */
export interface XfdMsrs {
  read(): number;
  write(value: number): void;
  /** IA32_XFD_ERR: the components because of which #NM was raised last. */
  readErr(): number;
  writeErr(value: number): void;
}

/** The MSRs of one CPU. */
export function xfdMsrs(stream: EventStream, cpu: number): XfdMsrs {
  const { at } = stream.state;
  const word = (base: number): number => {
    if (base >= 0) return base + cpu;
    throw new FpuError(
      'FPU209',
      'IA32_XFD is used on a processor without XFD, or by a kernel that enables nothing per task',
      {
        hint: 'ask k.dynamicXfeatures first: 0 where nothing can be disabled',
      },
    );
  };
  return {
    read: () => look(stream, word(at.xfd)),
    write: (value) => {
      word(at.xfd);
      stream.emit(events.XfdWritten, cpu, value);
    },
    readErr: () => look(stream, word(at.xfdErr)),
    writeErr: (value) => {
      word(at.xfdErr);
      stream.emit(events.XfdErrWritten, cpu, value);
    },
  };
}

/** Those of the components that IA32_XFD of a CPU disables now. */
export function disabledOf(stream: EventStream, cpu: number, xfeatures: number): number {
  const { at } = stream.state;
  return at.xfd < 0 ? 0 : look(stream, at.xfd + cpu) & xfeatures;
}

/** Components that XRSTOR with this instruction mask would load from an image: the others it puts into INIT state. */
export function loadedFrom(stream: EventStream, fpstate: number, xfeatures: number): number {
  return look(stream, stream.state.at.xstateBv + fpstate) & xfeatures;
}

/** Components of the fpregs that are not INIT: XCR0 & XINUSE, what XGETBV with ECX = 1 returns. */
export function xinuse(stream: EventStream, cpu: number): number {
  const { at } = stream.state;
  return at.componentBits.reduce(
    (mask, bit, index) => (look(stream, at.fpregs + cpu * at.components + index) === 0 ? mask : mask | (1 << bit)),
    0,
  );
}

/** A word that the footprint has to know of. */
function look({ footprint, state }: EventStream, word: number): number {
  footprint?.readWord(word);
  return state.words[word];
}
