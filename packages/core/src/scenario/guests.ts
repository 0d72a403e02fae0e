/** Scenarios in which a thread runs a guest of KVM. */
import { guest, kvm } from '../kernel/guest';
import { pkru, program, sse, syscall } from '../kernel/program';
import { ORACLES } from '../oracle/oracles';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** The guest left guest mode for this reason and was run again afterwards. */
const happens = (id: string, text: string, type: string): Sometimes => ({
  id,
  text,
  tasks: [],
  test: (event) => event.type === type,
});
const EXITED = happens('guest-exited', 'the guest left guest mode', 'guest.exited');

/** Guest, thread and a bystander have values of their own in the same registers; the guest stops for its monitor and for the kernel. */
const run: Own = {
  id: 'kvm-run',
  title:
    'V runs the guest G, which stops for its monitor and sleeps; B computes; interrupts use the FPU, the kernel is preempted',
  tasks: [
    { name: 'V', program: program(sse.write(), kvm.run('G'), sse.read(), kvm.run('G'), sse.read()) },
    { name: 'G', kind: 'guest', program: program(sse.write(), guest.io(), sse.update(), guest.hlt(), sse.read()) },
    { name: 'B', program: program(sse.update()) },
  ],
  interference: { preempt: 'full', hardirq: true, nesting: 1, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED],
};

/** The emulator reads and writes the guest's registers, and memory that faults, while anything may have taken the registers away. */
const emulation: Own = {
  id: 'kvm-emulation',
  title: 'the kernel executes instructions of the guest G on its registers; B computes; interrupts use the FPU',
  tasks: [
    { name: 'V', program: program(sse.update(), kvm.run('G'), sse.read()) },
    { name: 'G', kind: 'guest', program: program(sse.write(), guest.store(), guest.load(), sse.read()) },
    { name: 'B', program: program(sse.update()) },
  ],
  interference: { preempt: 'full', hardirq: true, nesting: 1, userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED],
};

/** Wherever the thread was when it moved, the guest's registers come after it. */
const migration: Own = {
  id: 'kvm-migration',
  title: 'V, which runs the guest G, and B move between two CPUs',
  tasks: [
    { name: 'V', program: program(sse.write(), kvm.run('G'), sse.read()) },
    { name: 'G', kind: 'guest', program: program(sse.write(), guest.hlt(), sse.read()) },
    { name: 'B', program: program(sse.update()) },
  ],
  interference: { preempt: 'user', migration: true, idle: 'preempts', allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED],
  cpus: 2,
};

/** A guest that switches tasks of its own, on a host that shadows its page tables. */
const addressSpaces: Own = {
  id: 'kvm-cr3',
  title: 'the guest G of V switches its address space between uses of the FPU; interrupts use it, too',
  tasks: [
    { name: 'V', program: program(sse.update(), kvm.run('G'), sse.read()) },
    { name: 'G', kind: 'guest', program: program(sse.write(), guest.cr3(), sse.update(), guest.cr3(), sse.read()) },
    { name: 'B', program: program(sse.update()) },
  ],
  interference: { preempt: 'user', hardirq: true, nesting: 1, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED],
};

/** A guest that boots: it enables its components while its thread may be switched out. */
const xcr0: Own = {
  id: 'kvm-xcr0',
  title: 'the guest G of V sets its XCR0; B computes',
  tasks: [
    { name: 'V', program: program(sse.update(), kvm.run('G'), sse.read()) },
    { name: 'G', kind: 'guest', program: program(guest.xsetbv(), sse.write(), guest.cpuid(), sse.read()) },
    { name: 'B', program: program(sse.update(), sse.read()) },
  ],
  interference: { preempt: 'full', allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED],
};

/** A processor with protection keys and few other components. */
const PKU = { cpu: 'zen3', oracles: ORACLES.filter((id) => id !== 'speculative-exposure') } as const;

const accessed = happens('accessed-user-memory', 'the kernel accessed user memory', 'user-memory.accessed');

/** Host and guest have different keys open; the kernel accesses memory of the monitor in between. */
const protectionKeys: Own = {
  id: 'kvm-pkru',
  title: 'V and its guest G have PKRU values of their own, the kernel accesses memory for both; B has another one',
  tasks: [
    { name: 'V', program: program(pkru.write(), kvm.run('G'), syscall('read'), pkru.read()) },
    { name: 'G', kind: 'guest', program: program(pkru.write(), guest.store(), pkru.read(), guest.load(), pkru.read()) },
    { name: 'B', program: program(pkru.write(), syscall('write'), pkru.read()) },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED, accessed],
  ...PKU,
};

/** The thread changes its PKRU while its guest does not run. */
const changed: Own = {
  id: 'kvm-pkru-changed',
  title: 'V runs its guest G, opens all keys, and runs it again; G leaves PKRU as it is',
  tasks: [
    {
      name: 'V',
      program: program(pkru.write(), kvm.run('G'), pkru.initialise(), kvm.run('G'), syscall('read'), pkru.read()),
    },
    { name: 'G', kind: 'guest', program: program(pkru.read(), guest.io(), pkru.read()) },
    { name: 'B', program: program(pkru.update()) },
  ],
  interference: { preempt: 'full', allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['V', 'G', 'B']), EXITED, accessed],
  ...PKU,
};

/** XCR0 alone gives a guest PKRU. */
const withoutPke: Own = {
  ...protectionKeys,
  id: 'kvm-pkru-without-pke',
  title: 'the guest G leaves CR4.PKE clear and gets at PKRU by XSAVE and XRSTOR; its thread V has a PKRU of its own',
  tasks: [
    { name: 'V', program: program(pkru.write(), kvm.run('G'), syscall('read'), pkru.read()) },
    {
      name: 'G',
      kind: 'guest',
      guest: { cr4Pke: false },
      program: program(pkru.xsave(), pkru.xrstor(), guest.store(), pkru.xsave()),
    },
  ],
  sometimes: [...USED_BY_ALL(['V', 'G']), EXITED, accessed],
};

/** What they are, for the catalogue to complete. */
export const GUESTS: readonly Own[] = [
  run,
  emulation,
  migration,
  addressSpaces,
  xcr0,
  protectionKeys,
  changed,
  withoutPke,
];
