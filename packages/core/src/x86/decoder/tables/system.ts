/**
 * Map 0F without SIMD data instructions: control registers, MSRs, state management, hints.
 *
 * Sources: Intel SDM Vol. 2, the opcode tables of the instructions (NP: no 66, F2 or F3); Vol. 2D "Opcode Extensions for
 * One-Byte and Two-Byte Opcodes" (A.4), groups 7, 9, 15 and 16. LFENCE, MFENCE and SFENCE ignore ModRM.rm.
 *
 * Lines that end in `off` belong to features that are never enabled here, so that they raise #UD: 3DNow! and PTWRITE
 * (CPUID), TSX, SGX and WAITPKG (CPUID), CET shadow stacks (IA32_U_CET and IA32_S_CET), user interrupts (CR4.UINTR), VMX (CR4.VMXE)
 * and SVM (EFER.SVME).
 */
import { parseTable, type Encoding } from '../encoding';

const CONTROL = `
  01/4   any SMSW        Mw           class=smsw
  01/4   any SMSW        Rv           class=smsw
  01/6   any LMSW        Ew     reads class=privileged
  01/2.0 NP  XGETBV      -      class=xcr
  01/2.1 NP  XSETBV      -      class=xcr
  01/5.6 NP  RDPKRU      -      class=pkru
  01/5.7 NP  WRPKRU      -      class=pkru sets=pkru
  01/5   F3  RSTORSSP    Mq     off
  01/5.0 F3  SETSSBSY    -      off
  01/5.2 F3  SAVEPREVSSP -      off
  01/5.4 F3  UIRET       -      off
  01/5.5 F3  TESTUI      -      off
  01/5.6 F3  CLUI        -      off
  01/5.7 F3  STUI        -      off
  01/0   any SGDT        M      unmodelled
  01/1   any SIDT        M      unmodelled
  01/2   any LGDT        M      class=privileged noaccess
  01/3   any LIDT        M      class=privileged noaccess
  01/7   any INVLPG      M      class=privileged noaccess
  01/0   any VMX         -      register off
  01/1   any MONITOR     -      register unmodelled
  01/2.4 NP  VMFUNC      -      off
  01/2.5 NP  XEND        -      off
  01/2.6 NP  XTEST       -      off
  01/2.7 NP  ENCLU       -      off
  01/5.0 NP  SERIALIZE   -      unmodelled
  01/5.0 F2  XSUSLDTRK   -      off
  01/5.1 F2  XRESLDTRK   -      off
  01/3   any SVM         -      register off
  01/7.0 any SWAPGS      -      class=privileged
  00/2   any LLDT        Ew     reads class=privileged
  00/3   any LTR         Ew     reads class=privileged
  06     any CLTS        -      class=privileged
  07     any SYSRET      -      class=privileged
  08     any INVD        -      class=privileged
  09     any WBINVD      -      class=privileged
  35     any SYSEXIT     -      class=privileged
  20     any MOV_FROM_CR Rm,Cm  class=privileged modignored
  22     any MOV_TO_CR   Cm,Rm  class=privileged modignored
  21     any MOV_FROM_DR Rm     class=privileged modignored
  23     any MOV_TO_DR   Rm     reads class=privileged modignored
  30     any WRMSR       -      class=privileged
  32     any RDMSR       -      class=privileged
  A2     any CPUID       -
`;

const STATE = `
  AE/0   NP  FXSAVE      M512   align=16 class=fxsave
  AE/1   NP  FXRSTOR     M512   align=16 class=fxsave reads sets=x87+sse
  AE/2   NP  LDMXCSR     Md     class=sse reads sets=none
  AE/3   NP  STMXCSR     Md     class=sse
  AE/4   NP  XSAVE       M      align=64 class=xsave
  AE/5   NP  XRSTOR      M      align=64 class=xsave reads sets=none
  AE/6   NP  XSAVEOPT    M      align=64 class=xsave
  AE/7   NP  CLFLUSH     Mb     reads
  AE/6   66  CLWB        Mb     reads
  AE/7   66  CLFLUSHOPT  Mb     reads
  AE/4   F3  PTWRITE     Ey     reads off
  AE/6   F3  CLRSSBSY    Mq     off
  AE/5   F3  INCSSP      Ry     reads off
  AE/5   NP  LFENCE      -      register
  AE/6   NP  MFENCE      -      register
  AE/7   NP  SFENCE      -      register
  AE/0   F3  RDFSBASE    Ry     unmodelled
  AE/1   F3  RDGSBASE    Ry     unmodelled
  AE/2   F3  WRFSBASE    Ry     unmodelled
  AE/3   F3  WRGSBASE    Ry     unmodelled
  AE/6   F3  UMONITOR    Rm     off
  AE/6   F2  UMWAIT      Rd     off
  AE/6   66  TPAUSE      Rd     off
  C7/1   any CMPXCHG8B   Mq     W0 updates lockable
  C7/1   any CMPXCHG16B  M16    W1 updates lockable align=16
  C7/3   NP  XRSTORS     M      align=64 class=xsave reads sets=none
  C7/4   NP  XSAVEC      M      align=64 class=xsave
  C7/5   NP  XSAVES      M      align=64 class=xsave
  C7/6   NP  VMPTRLD     Mq     off
  C7/6   66  VMCLEAR     Mq     off
  C7/6   F3  VMXON       Mq     off
  C7/7   NP  VMPTRST     Mq     off
  C7/6   any RDRAND      Rv     unmodelled
  C7/7   any RDSEED      Rv     unmodelled
`;

/**
 * PREFETCHh, and the opcodes reserved for hints, which are NOPs where the feature is absent or off: ENDBR64 and RDSSP (CET),
 * CLDEMOTE, and 1A and 1B (MPX, off while BNDCFGU.EN and BNDCFGS.EN are 0).
 */
const HINTS = `
  0D/0   any PREFETCH    Mb     noaccess
  0D/1   any PREFETCHW   Mb     noaccess
  0D/2   any PREFETCHWT1 Mb     noaccess
  0D     any NOP         Mb     noaccess
  0E     any FEMMS       -      off
  0F     any 3DNOW       Pq,Qq  off
  18/0   any PREFETCHNTA Mb     noaccess
  18/1   any PREFETCHT0  Mb     noaccess
  18/2   any PREFETCHT1  Mb     noaccess
  18/3   any PREFETCHT2  Mb     noaccess
  18     any NOP         Ev     noaccess
  19     any NOP         Ev     noaccess
  1A     any NOP         Ev     noaccess
  1B     any NOP         Ev     noaccess
  1C     any NOP         Ev     noaccess
  1D     any NOP         Ev     noaccess
  1E     any NOP         Ev     noaccess
  1F     any NOP         Ev     noaccess
  B8     F3  POPCNT      Gv,Ev
`;

/** The part of map 0F that is not SIMD. */
export const SYSTEM: readonly Encoding[] = parseTable([CONTROL, STATE, HINTS].join('\n'), { map: 1 });

/**
 * Opcodes of map 0F that are general-purpose or system instructions and are not modelled; LAR, CMOVcc, Jcc, SETcc, MOVZX,
 * BSWAP and so on. All others that are in no table are undefined.
 *
 * @see Intel SDM Vol. 2D "One, Two, and Three-Byte Opcode Maps" (A.3)
 */
const NOT_MODELLED: readonly (readonly [first: number, last: number])[] = [
  [0x02, 0x03],
  [0x05, 0x05],
  [0x31, 0x31],
  [0x33, 0x34],
  [0x37, 0x37],
  [0x40, 0x4f],
  [0x80, 0x9f],
  [0xa0, 0xa1],
  [0xa3, 0xa5],
  [0xa8, 0xad],
  [0xaf, 0xb7],
  [0xba, 0xc1],
  [0xc8, 0xcf],
];

/** True for opcodes of map 0F that exist but are not modelled. */
export function isUnmodelled0f(opcode: number): boolean {
  return NOT_MODELLED.some(([first, last]) => opcode >= first && opcode <= last);
}
