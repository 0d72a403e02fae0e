/** @packageDocumentation Platforms: what a hypervisor does to a guest's FPU code. */
import { FpuError, type Patch, type Platform } from '@fpulab/core';
import { bareMetal } from './bare-metal';
import { xenHvm } from './xen-hvm';
import { KEEP_BOTH, REAL_TS_ONLY, xenPv } from './xen-pv';

export { bareMetal, xenHvm, xenPv, KEEP_BOTH, REAL_TS_ONLY };
export type { XenHvmOptions } from './xen-hvm';
export type { XenPvOptions } from './xen-pv';

/** Makes a platform; one object per machine. */
export type PlatformFactory = () => Platform;

/** The built-in platforms by id. */
export const PLATFORMS: Readonly<Record<string, PlatformFactory>> = {
  'bare-metal': bareMetal,
  'xen-hvm': () => xenHvm(),
  'xen-hvm-eager': () => xenHvm({ fpu: 'eager' }),
  'xen-pv': () => xenPv(),
  'xen-pv-lmsw': () => xenPv({ lmsw: 'emulated' }),
};

/** Patches on platforms. */
export const PLATFORM_PATCHES: readonly Patch[] = [REAL_TS_ONLY, KEEP_BOTH];

/**
 * The built-in platform with this id.
 *
 * @throws FpuError FPU504 when there is none
 */
export function platformOf(id: string): Platform {
  const factory = Object.hasOwn(PLATFORMS, id) ? PLATFORMS[id] : undefined;
  if (factory) return factory();
  const known = Object.keys(PLATFORMS);
  throw new FpuError('FPU504', `no platform '${id}'; known: ${known.join(', ')}`, { id, known });
}
