/** Extended feature disable: Intel SDM Vol. 1 "Extended Feature Disable (XFD)" (13.14). */
import { VECTOR, fault, type Fault } from '../faults';
import type { Processor } from '../processor';

/** #NM by IA32_XFD: IA32_XFD_ERR tells which components were needed. */
export function extendedFeatureDisabled(cpu: Processor, components: number): Fault {
  cpu.writeControl('xfdErr', components);
  return fault(VECTOR.NM, 'xfd-armed');
}
