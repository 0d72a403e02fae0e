/** Scenarios about CPUs that go down and come up again, and about suspend to RAM. */
import { amx, avx, loop, mmx, pkru, program, sse, syscall } from '../kernel/program';
import { AVX, PKRU, SSE, TILECFG, TILEDATA, X87 } from '../x86/components';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

const maskOf = (...bits: readonly number[]): number => bits.reduce((mask, bit) => mask | (1 << bit), 0);

const happened = (type: string, text: string): Sometimes => ({
  id: type.replace('.', '-'),
  text,
  tasks: [],
  test: (event) => event.type === type,
});

const WENT_DOWN_AND_UP = [happened('cpu.died', 'a CPU went down'), happened('cpu.online', 'a CPU came up again')];
/** After so many, a lazy kernel takes a task for one that will use the FPU again, and loads its registers when it is switched in. */
const SLICES = 6;
const SUSPENDED = [happened('tasks.thawed', 'the machine was suspended, and everybody went on')];

/** The register of x87 is what FNINIT of a CPU that comes up takes, the others what only a loss of power does. */
const hotplug: Own = {
  id: 'cpu-hotplug',
  title: 'a task takes a CPU down and brings it up again while another one computes; tasks move as they must',
  tasks: [
    { name: 'A', program: program(mmx.write(), syscall('cpu_down'), syscall('cpu_up'), mmx.read()) },
    { name: 'B', program: program(loop(SLICES, mmx.update(), syscall('nanosleep')), mmx.read()) },
  ],
  interference: { idle: true },
  xfeatures: maskOf(X87, SSE),
  sometimes: [...USED_BY_ALL(['A', 'B']), ...WENT_DOWN_AND_UP],
  cpus: 2,
};

/** Everything is off: the CPUs that were taken down first lose what they hold, too. */
const suspend: Own = {
  id: 'suspend',
  title: 'a task suspends the machine to RAM while another one computes',
  tasks: [
    { name: 'A', program: program(avx.write(), syscall('suspend'), avx.read()) },
    { name: 'B', program: program(loop(SLICES, avx.update(), syscall('nanosleep')), avx.read()) },
  ],
  interference: { idle: true },
  xfeatures: maskOf(X87, SSE, AVX),
  sometimes: [...USED_BY_ALL(['A', 'B']), ...SUSPENDED],
  cpus: 2,
};

/** One CPU: the task that suspends the machine comes and goes on the way, and interrupts use the FPU. */
const suspendPreempted: Own = {
  id: 'suspend-preempted',
  title: 'a task suspends a machine of one CPU; the kernel is preempted anywhere, and interrupts use the FPU',
  tasks: [
    { name: 'A', program: program(sse.write(), syscall('suspend'), sse.read()) },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'full', hardirq: true, nesting: 1 },
  xfeatures: maskOf(X87, SSE),
  sometimes: [...USED_BY_ALL(['A', 'B']), ...SUSPENDED],
};

/** PKRU lies in no image since 5.14. */
const suspendPkru: Own = {
  id: 'suspend-pkru',
  title: 'a task with a PKRU of its own suspends the machine to RAM, another one has its own, too',
  tasks: [
    { name: 'A', program: program(pkru.write(), syscall('suspend'), pkru.read()) },
    { name: 'B', program: program(pkru.write(), pkru.read()) },
  ],
  interference: { preempt: 'full' },
  xfeatures: maskOf(X87, SSE, PKRU),
  sometimes: [...USED_BY_ALL(['A', 'B']), ...SUSPENDED],
  cpu: 'skylake-x',
};

/** IA32_XFD is lost as well. B suspends after A, which has tiles, ran on its CPU. */
const suspendAmx: Own = {
  id: 'suspend-amx',
  title: 'a task without tiles suspends the machine to RAM, another one has tiles',
  tasks: [
    {
      name: 'A',
      program: program(syscall('req_xcomp_perm'), amx.configure(), amx.write(), syscall('nanosleep'), amx.read()),
    },
    { name: 'B', program: program(sse.write(), syscall('suspend'), sse.read()) },
  ],
  interference: { preempt: 'full' },
  cpu: 'sapphire-rapids',
  xfeatures: maskOf(X87, SSE, TILECFG, TILEDATA),
  sometimes: [...USED_BY_ALL(['B']), ...SUSPENDED],
};

/** Tiles and CPUs: IA32_XFD of a CPU that comes up is the kernel's initial one. */
const hotplugAmx: Own = {
  id: 'cpu-hotplug-amx',
  title: 'a task with tiles computes while another one takes a CPU down and brings it up again',
  tasks: [
    {
      name: 'A',
      program: program(syscall('req_xcomp_perm'), amx.configure(), amx.write(), syscall('nanosleep'), amx.read()),
    },
    { name: 'B', program: program(sse.write(), syscall('cpu_down'), syscall('cpu_up'), sse.read()) },
  ],
  interference: { idle: true },
  cpu: 'sapphire-rapids',
  xfeatures: maskOf(X87, SSE, TILECFG, TILEDATA),
  sometimes: [...USED_BY_ALL(['B']), ...WENT_DOWN_AND_UP],
  cpus: 2,
};

/** What they are, for the catalogue to complete. */
export const HOTPLUG: readonly Own[] = [hotplug, hotplugAmx, suspend, suspendPreempted, suspendPkru, suspendAmx];
