/**
 * Guests of KVM and the threads that run them: operations of their programs, and why a guest leaves its processor.
 *
 *     { name: 'vcpu', program: program(sse.write(), kvm.run('G'), sse.read()) },
 *     { name: 'G', kind: 'guest', program: program(sse.write(), guest.io(), sse.read()) },
 */
import { FpuError } from '../error';
import { SSE } from '../x86/components';
import type { TaskKind } from './kernel-thread';
import { compileTask, simpleOperations, type FpuOperation, type Operation, type SyscallOperation } from './program';

/**
 * Why the processor left guest mode. `interrupt`: an interrupt for the host; `nm`: #NM that the host intercepts; `shutdown`: the guest's
 * program is over; `cr3`: MOV to CR3, where the host shadows page tables; `xsetbv`: it always does so.
 */
export const EXITS = ['none', 'interrupt', 'hlt', 'io', 'cpuid', 'emulate', 'nm', 'shutdown', 'cr3', 'xsetbv'] as const;

/** One of EXITS. */
export type Exit = (typeof EXITS)[number];

/** Index of each exit in EXITS: what a local of the code that runs the guest holds. */
export const EXIT = Object.fromEntries(EXITS.map((exit, index) => [exit, index])) as Readonly<Record<Exit, number>>;

/** The routine of guest mode: its frame lies on the stack of the thread that runs the guest. */
export const GUEST_ROUTINE = 'guest';

/**
 * An instruction of a guest that only its host can finish. `emulate`: it accesses an address that belongs to a device, and its host executes it
 * on the guest's registers.
 */
export interface GuestOperation extends Omit<FpuOperation, 'kind' | 'needs' | 'initialises'> {
  readonly kind: 'guest';
  readonly name: Extract<Exit, 'hlt' | 'io' | 'cpuid' | 'cr3' | 'xsetbv' | 'emulate'>;
}

const exit = (name: GuestOperation['name'], text: string = name): GuestOperation => ({
  kind: 'guest',
  text: `guest.${text}`,
  name,
  instruction: 'sse',
  reads: [],
  writes: [],
});

/** What guests do beside using the FPU. */
export const guest = {
  /** HLT: the thread sleeps in the kernel until there is something to do. */
  hlt: (): GuestOperation => exit('hlt'),
  /** OUT: the thread returns to its user code, which has the device. */
  io: (): GuestOperation => exit('io'),
  /** CPUID: the kernel answers at once. */
  cpuid: (): GuestOperation => exit('cpuid'),
  /** MOV to CR3: the guest switches its address space. */
  cr3: (): GuestOperation => exit('cr3'),
  /** XSETBV: the guest enables all that its host has. Before the first one it is as RESET leaves it: XCR0 has x87 alone. */
  xsetbv: (): GuestOperation => exit('xsetbv'),
  /** MOVDQA from an XMM register to a device in the kernel. */
  store: (): GuestOperation => ({ ...exit('emulate', 'store'), reads: [SSE] }),
  /** MOVDQA from a device in the kernel to an XMM register. */
  load: (): GuestOperation => ({ ...exit('emulate', 'load'), writes: [SSE] }),
};

/** What threads of a virtual machine monitor do. */
export const kvm = {
  /** ioctl(KVM_RUN) of the virtual processor that runs this guest. */
  run: (name: string): SyscallOperation => ({
    kind: 'syscall',
    text: `kvm_run(${name})`,
    name: 'kvm_run',
    guest: name,
  }),
};

/** What is peculiar to a guest. */
export interface GuestConfiguration {
  /** False for a guest that never sets CR4.PKE: it gets at PKRU by XSAVE and XRSTOR alone, and no access of its own obeys it. */
  readonly cr4Pke?: boolean;
}

/** A task of a scenario, as far as guests are concerned. */
interface GuestSpec {
  readonly name: string;
  readonly program: readonly Operation[];
  readonly handler?: readonly Operation[];
  readonly unborn?: boolean;
  readonly kind?: TaskKind;
  readonly guest?: GuestConfiguration;
}

/** Names of the guests that a task runs, each once. */
export function guestsOf({ program, handler = [] }: Pick<GuestSpec, 'program' | 'handler'>): readonly string[] {
  const runs = simpleOperations([...program, ...handler]).flatMap((one) =>
    one.kind === 'syscall' && one.guest !== undefined ? [one.guest] : [],
  );
  return [...new Set(runs)];
}

/**
 * Checks guests and those who run them.
 *
 * @throws FpuError FPU208 for a guest with operations that are not for guests, and for guests' operations elsewhere; for a guest that nobody runs,
 *   or two threads do; for a thread that runs two, or something that is no guest
 */
export function refuseBadGuests(tasks: readonly GuestSpec[]): void {
  const refuse = (task: string, problem: string): never => {
    throw new FpuError('FPU208', `task ${task} ${problem}`, { task });
  };
  for (const task of tasks) {
    const { name } = task;
    const runs = guestsOf(task);
    if (task.kind === 'guest') {
      refuseBadProgram(task, (problem) => refuse(name, `is a guest, ${problem}`));
      const threads = tasks.filter((candidate) => guestsOf(candidate).includes(name));
      if (threads.length !== 1)
        refuse(name, `is a guest, which one thread runs by kvm.run('${name}'); found ${threads.length}`);
      continue;
    }
    if (compileTask(task.program, task.handler).code.some(({ kind }) => kind === 'guest'))
      refuse(name, `executes an instruction of guests, and is a ${task.kind ?? 'user'} task`);
    if (task.guest !== undefined) refuse(name, `is no guest, but says what a guest is like`);
    if (runs.length > 1) refuse(name, `runs the guests ${runs.join(' and ')}; a thread runs one`);
    const [wanted] = runs;
    if (wanted !== undefined && tasks.every((other) => other.name !== wanted || other.kind !== 'guest'))
      refuse(name, `runs '${wanted}', and there is no guest of that name`);
  }
}

function refuseBadProgram(
  { program, handler, unborn, guest: own }: GuestSpec,
  refuse: (problem: string) => never,
): void {
  const { code } = compileTask(program);
  const foreign = code.find((one) => !['either', 'fpu', 'guest'].includes(one.kind) && !isEnd(one));
  if (foreign) refuse(`and '${foreign.text}' is for tasks of the host`);
  if (handler !== undefined || unborn === true) refuse('which has no signals and is not forked');
  const needsPke = code.find((one) => one.kind === 'fpu' && one.instruction === 'pkru');
  if (needsPke && own?.cr4Pke === false) refuse(`and '${needsPke.text}' raises #UD without CR4.PKE`);
}

function isEnd(operation: { readonly kind: string; readonly name?: string }): boolean {
  return operation.kind === 'syscall' && operation.name === 'exit';
}
