/** The built-in CPU models, as their files have them: Intel by age, AMD by age, then those behind captured test vectors. */
import bochsRyzen from './bochs-ryzen.cpu.json';
import bochsSapphireRapids from './bochs-sapphire-rapids.cpu.json';
import broadwell from './broadwell.cpu.json';
import haswell from './haswell.cpu.json';
import nehalem from './nehalem.cpu.json';
import pentiumIii from './pentium-iii.cpu.json';
import pentiumMmx from './pentium-mmx.cpu.json';
import qemuMax from './qemu-max.cpu.json';
import sandybridge from './sandybridge.cpu.json';
import sandybridgeXsaveopt from './sandybridge-xsaveopt.cpu.json';
import sapphireRapids from './sapphire-rapids.cpu.json';
import skylakeX from './skylake-x.cpu.json';
import zen2 from './zen2.cpu.json';
import zen3 from './zen3.cpu.json';
import zen4 from './zen4.cpu.json';
import zen4Guest from './zen4-guest.cpu.json';

/** A CPU model file that nobody has looked into yet. */
export interface UnparsedCpu {
  readonly id: string;
}

/** All of them, unparsed: a run needs one. */
export const BUILT_IN_CPUS: readonly UnparsedCpu[] = [
  pentiumMmx,
  pentiumIii,
  nehalem,
  sandybridge,
  sandybridgeXsaveopt,
  haswell,
  broadwell,
  skylakeX,
  sapphireRapids,
  zen2,
  zen3,
  zen4,
  zen4Guest,
  bochsSapphireRapids,
  bochsRyzen,
  qemuMax,
];
