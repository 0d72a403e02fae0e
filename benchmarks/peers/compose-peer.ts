/** Composes the peers' model as fpulab has it, here and in worker threads. */
import type { Compose } from '@fpulab/explorer';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { GUEST_FIX_PEER, lazyPeer, peerScenario } from './lazy-peer';
import type { PeerConfig } from './spin';

/** Which instance of the model. */
export interface PeerRequest extends Pick<PeerConfig, 'variant'> {
  readonly cpus: number;
  readonly tasks: number;
  /** Operations per task; undefined for programs without end. */
  readonly operations?: number;
  /** See `peerScenario`. */
  readonly preempt?: 'user' | 'full';
}

/** A fresh composition of an instance. */
export function composeRequest({ variant, cpus, tasks, operations, preempt }: PeerRequest): ReturnType<Compose> {
  return {
    platform: variant === 'NATIVE' ? bareMetal() : xenPv(),
    policies: [lazyPeer()],
    patches: variant === 'XENPV_FIXED' ? [GUEST_FIX_PEER] : [],
    scenario: peerScenario(tasks, operations, cpus, preempt),
  };
}
