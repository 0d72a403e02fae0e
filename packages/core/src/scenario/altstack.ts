/** A handler on an alternate stack that POSIX called large enough. */
import { MINSIGSTKSZ } from '../kernel/altstack';
import { program, sse, syscall } from '../kernel/program';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

const gotSignal: Sometimes = {
  id: 'A-got-a-signal',
  text: 'A got a signal',
  tasks: ['A'],
  test: (event, [task]) => event.type === 'signal.taken' && event.data.task === task,
};

/** The frame of a processor with AVX-512 takes some 3.2 KiB. */
const altstack: Own = {
  id: 'altstack',
  title: 'A has a handler on an alternate stack of MINSIGSTKSZ bytes, and a processor with AVX-512',
  cpu: 'skylake-x',
  tasks: [
    {
      name: 'A',
      altstackBytes: MINSIGSTKSZ,
      program: program(sse.write(), syscall('raise'), sse.read()),
      handler: program(sse.update()),
    },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['B']), gotSignal],
};

/** All of them. */
export const ALTSTACKS: readonly Own[] = [altstack];
