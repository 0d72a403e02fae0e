import { FpuError, type BasePolicy, type Slot } from '@fpulab/core';

/**
 * A slot of the policy that KVM runs on.
 *
 * @throws FpuError FPU203 when the policy has none of that name
 */
export function slotOf({ id, slots }: BasePolicy, name: string): Slot {
  const found = slots.find((candidate) => candidate.name === name);
  if (found) return found;
  const known = slots.map((candidate) => candidate.name);
  throw new FpuError('FPU203', `'kvm' needs the slot '${name}' of '${id}', which has ${known.join(', ')}`, {
    policy: id,
    slot: name,
    known,
  });
}
