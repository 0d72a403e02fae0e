/**
 * The event vocabulary of the core. State changes in these `apply` functions and nowhere else.
 *
 * Names start from the kernel's own tracepoints where there is one (arch/x86/include/asm/trace/fpu.h).
 */
export * from './steps';
export * from './contexts';
export * from './tasks';
export * from './processor';
export * from './signals';
export * from './tracing';
export * from './sva';
export * from './guests';
export * from './ipi';
export * from './exec';
export * from './images';
export * from './plugins';
export * from './hotplug';
export * from './hooks';
