/** Scenarios about what only the extended part of an image has: the upper halves of YMM registers. */
import { avx, either, frame, program, sse, syscall } from '../kernel/program';
import type { Scenario } from './scenario';
import { USED_BY_ALL, cameBack } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** A frame that has lost its magic numbers says nothing of AVX, which is INIT then: not what the handler has left there, and not another task's. */
const signal: Own = {
  id: 'avx-signal',
  title:
    'a task with AVX state takes a signal, whose handler uses AVX and may spoil the frame; frames fault, another task has AVX state',
  tasks: [
    {
      name: 'A',
      program: program(avx.write(), syscall('raise'), avx.read()),
      handler: program(avx.write(), either(sse.read(), frame('fx-only'))),
    },
    { name: 'B', program: program(avx.write(), avx.read()) },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), cameBack('A')],
};

/** What they are, for the catalogue to complete. */
export const AVX_SCENARIOS: readonly Own[] = [signal];
