/** Images of FPU state in memory, and their XSAVE headers. */
import { defineEvent } from '../event-type';
import { HEADER } from '../state';
import { INIT } from '../values';

/** Memory for an image was allocated. Its contents are whatever was there. */
export const FpstateAllocated = defineEvent(
  'fpstate.allocated',
  { fpstate: 'fpstate' },
  (s, fpstate) => {
    s.words[s.at.allocated + fpstate] = 1;
  },
  { fpu: true },
);

/** An image was freed. */
export const FpstateFreed = defineEvent(
  'fpstate.freed',
  { fpstate: 'fpstate' },
  (s, fpstate) => {
    s.words[s.at.allocated + fpstate] = 0;
  },
  { fpu: true },
);

/** An image was filled with the INIT state (fpu_finit(), fpstate_init()). */
export const FpstateInitialised = defineEvent(
  'fpstate.initialised',
  { fpstate: 'fpstate' },
  (s, fpstate) => {
    const n = s.at.components;
    s.words.fill(INIT, s.at.image + fpstate * n, s.at.image + (fpstate + 1) * n);
    s.words[s.at.xstateBv + fpstate] = 0;
    s.words[s.at.header + fpstate] = HEADER.valid;
    if (s.at.alone >= 0) s.words[s.at.alone + fpstate] = 0;
  },
  { fpu: true },
);

/** An image was copied from memory to memory. */
export const FpstateCopied = defineEvent(
  'fpstate.copied',
  { from: 'fpstate', to: 'fpstate' },
  (s, from, to) => {
    const n = s.at.components;
    s.words.copyWithin(s.at.image + to * n, s.at.image + from * n, s.at.image + (from + 1) * n);
    s.words[s.at.xstateBv + to] = s.words[s.at.xstateBv + from];
    s.words[s.at.header + to] = s.words[s.at.header + from];
    if (s.at.alone >= 0) s.words[s.at.alone + to] = s.words[s.at.alone + from];
  },
  { fpu: true },
);

/** The slot of a component in an image got a value. Whether XRSTOR loads it is another question: XSTATE_BV. */
export const FpstateWritten = defineEvent(
  'fpstate.written',
  { fpstate: 'fpstate', component: 'component', value: 'value' },
  (s, fpstate, component, value) => {
    s.words[s.at.image + fpstate * s.at.components + s.at.indexOfBit[component]] = value;
  },
  { fpu: true },
);

/** XSTATE_BV of an image changed: components whose bit is 0 are INIT, whatever their slots hold. */
export const XstateBvWritten = defineEvent(
  'fpstate.xstate-bv-written',
  { fpstate: 'fpstate', xfeatures: 'mask' },
  (s, fpstate, xfeatures) => {
    s.words[s.at.xstateBv + fpstate] = xfeatures;
  },
  { fpu: true },
);

/** Somebody wrote the header of an image: its magic is gone, or reserved bits are set. See HEADER. */
export const HeaderWritten = defineEvent(
  'fpstate.header-written',
  { fpstate: 'fpstate', header: 'number' },
  (s, fpstate, header) => {
    s.words[s.at.header + fpstate] = header;
  },
  { fpu: true },
);
