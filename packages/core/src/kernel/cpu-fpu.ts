import * as events from '../machine/events';
import { HEADER, type FpstateKind } from '../machine/state';
import { INIT, nextSerial, PRINCIPAL, principalOfTask, valueId } from '../machine/values';
import { PKRU, SSE, SUPERVISOR_COMPONENTS, X87, componentName } from '../x86/components';
import { VECTOR } from '../x86/faults';
import { LEGACY_BYTES } from '../x86/layout';
import { INSTRUCTIONS_OF, saveArea, type SaveArea } from './save-format';
import { disabledOf, loadedFrom, xfdMsrs, xinuse, type XfdMsrs } from './xfd';
import { CpuCore, STEP_FAULTED, type CpuMachine } from './cpu-core';

const FXSAVE_COMPONENTS = (1 << X87) | (1 << SSE);

/** The FPU registers of a CPU, and images of them in memory. */
export abstract class CpuFpu extends CpuCore {
  protected readonly allMask: number;
  protected readonly area: SaveArea;
  /** Of images without room for what is enabled per task. */
  private readonly defaultArea: SaveArea;
  readonly xfd: XfdMsrs;
  readonly dynamicXfeatures: number;
  readonly xfeatures: number;
  private readonly vcpuArea: SaveArea;
  private readonly kernelComponent: number;
  private readonly hasXsave: boolean;
  /** Word of the PKRU register; -1 on processors that have none. */
  private readonly pkruWord: number;

  constructor(cpu: number, machine: CpuMachine) {
    super(cpu, machine);
    this.allMask = this.at.componentBits.reduce((mask, bit) => mask | (1 << bit), 0);
    this.xfeatures = this.allMask;
    const area = (xfeatures: number): SaveArea =>
      saveArea(machine.model, { xfeatures, xsaves: machine.xsaves, xsaveopt: machine.xsaveopt });
    this.dynamicXfeatures = this.at.dynamicXfeatures;
    this.area = area(this.allMask);
    this.defaultArea = area(this.allMask & ~this.dynamicXfeatures);
    this.hasXsave = machine.model.features.includes('xsave');
    this.xfd = xfdMsrs(machine.stream, cpu);
    // Xen uses XSAVES only for supervisor components, of which guests have none (xen/arch/x86/xstate.c xsave()).
    this.vcpuArea = saveArea(machine.host, { xfeatures: this.allMask, xsaves: false });
    this.kernelComponent = this.at.indexOfBit[SSE] >= 0 ? SSE : X87;
    const pkru = this.at.indexOfBit[PKRU];
    this.pkruWord = pkru < 0 ? -1 : this.at.fpregs + cpu * this.at.components + pkru;
  }

  // --- registers and images -----------------------------------------------------------------------------------------

  fpstateOf(task: number, kind: FpstateKind = 'task'): number {
    const first = this.at.firstFpstate[kind];
    if (first < 0) this.refuseStep(`uses the image '${kind}' of a task, which this machine does not have`);
    return first + task;
  }

  get compacted(): boolean {
    return this.area.format === 'xsaves';
  }

  get vcpuFpstate(): number {
    return this.at.vcpuFpstates + this.cpu;
  }

  save(fpstate: number, requested = this.allMask): boolean {
    this.needDeclaration('saves registers');
    const xfeatures = this.enabledOf(requested);
    this.emit(events.FpregsSaved, this.cpu, fpstate, xfeatures, this.bytesOf(fpstate), this.area.save);
    if (this.area.format !== 'fnsave') return true;
    this.emit(events.FpregsInitialised, this.cpu, this.allMask);
    return false;
  }

  fxsave(fpstate: number): void {
    this.needDeclaration('saves registers');
    const { save } = INSTRUCTIONS_OF.fxsave;
    this.emit(events.FpregsSaved, this.cpu, fpstate, this.allMask & FXSAVE_COMPONENTS, LEGACY_BYTES, save);
  }

  restore(fpstate: number, requested = this.allMask): boolean {
    this.needDeclaration('loads registers');
    const xfeatures = this.enabledOf(requested);
    const isRefused = this.hasBitsOutsideXcompBv(fpstate) || this.hasDisabledBits(fpstate);
    if (this.headerOf(fpstate) === HEADER.reserved || isRefused) {
      this.raiseGp();
      return false;
    }
    this.refuseDisabled(loadedFrom(this.machine.stream, fpstate, xfeatures));
    const { pkru } = this;
    this.emit(events.FpregsRestored, this.cpu, fpstate, xfeatures, this.bytesOf(fpstate), this.area.restore);
    this.watchPkru(pkru);
    return true;
  }

  writeXcr0(xfeatures: number): void {
    if (this.at.xcr0 < 0) this.refuseStep('executes XSETBV in a machine whose XCR0 never changes');
    this.emit(events.Xcr0Written, this.cpu, xfeatures & ~SUPERVISOR_COMPONENTS);
  }

  /** XSTATE_BV has components that XCR0 and IA32_XSS do not enable. */
  private hasDisabledBits(fpstate: number): boolean {
    if (this.at.xcr0 < 0 || !this.hasXsave) return false;
    return (this.xstateBv(fpstate) & ~this.enabledOf(this.allMask)) !== 0;
  }

  /** Components that XCR0 and IA32_XSS let XSAVE and XRSTOR move; FXSAVE and FNSAVE do not ask. */
  private enabledOf(xfeatures: number): number {
    if (this.at.xcr0 < 0 || !this.hasXsave) return xfeatures;
    return xfeatures & this.look(this.at.xcr0 + this.cpu);
  }

  /** XRSTOR refuses a header. All code that restores has a fix-up for it, so that there is no context of its own. */
  private raiseGp(): void {
    const { stream } = this.machine;
    const { actor } = stream;
    stream.actor = 'hardware';
    this.emit(events.TrapRaised, this.cpu, this.task, VECTOR.GP, 0, this.pc);
    stream.actor = actor;
  }

  /** Size of an image. */
  private bytesOf(fpstate: number): number {
    return fpstate < this.at.tasks ? this.defaultArea.bytes : this.area.bytes;
  }

  /** #NM in the middle of a step: IA32_XFD disables a component that an instruction needs. */
  protected refuseDisabled(needed: number): void {
    const disabled = disabledOf(this.machine.stream, this.cpu, needed);
    if (disabled === 0) return;
    this.emit(events.XfdErrWritten, this.cpu, disabled);
    this.emit(events.TrapRaised, this.cpu, this.task, VECTOR.NM, 0, this.pc);
    this.deliverNm();
    throw STEP_FAULTED;
  }

  xinuse(): number {
    return xinuse(this.machine.stream, this.cpu);
  }

  readRegister(component: number): number {
    return this.look(this.at.fpregs + this.cpu * this.at.components + this.indexOf(component));
  }

  writeRegister(component: number, value: number): void {
    this.indexOf(component);
    const { pkru } = this;
    this.emit(events.FpregsLoaded, this.cpu, component, value);
    this.watchPkru(pkru);
  }

  /** XSTATE_BV has components that XCOMP_BV has not. */
  private hasBitsOutsideXcompBv(fpstate: number): boolean {
    if (this.at.alone < 0) return false;
    const alone = this.look(this.at.alone + fpstate);
    return alone !== 0 && (this.xstateBv(fpstate) & ~alone) !== 0;
  }

  saveAlone(fpstate: number, component: number): void {
    this.needDeclaration('saves registers');
    const { bytes, save } = saveArea(this.machine.model, { xfeatures: 1 << component, xsaves: true });
    this.emit(events.FpregsSavedAlone, this.cpu, fpstate, component, bytes, save);
  }

  storeRegister(fpstate: number, component: number): void {
    this.indexOf(component);
    this.emit(events.RegisterStored, this.cpu, fpstate, component);
  }

  changeFpstate(fpstate: number, component: number, value: number): void {
    const base = this.readFpstate(fpstate, component);
    this.machine.stream.emit(events.FpstateChanged, this.cpu, this.task, fpstate, component, base, value);
  }

  get askedPkru(): number {
    return valueId(principalOfTask(this.task), nextSerial(this.look(this.at.serial + this.task)));
  }

  readToChange(component: number): void {
    this.emit(events.FpregsRead, this.cpu, this.task, component, this.readRegister(component));
  }

  beginUpdate(component: number): void {
    this.emit(events.UpdateBegun, this.task, component);
  }

  finishUpdate(component: number, value: number): void {
    this.emit(events.UpdateFinished, this.task, component, value);
  }

  giveRegister(component: number, value: number): void {
    this.indexOf(component);
    const { pkru } = this;
    this.emit(events.FpregsGiven, this.cpu, this.task, component, value);
    this.watchPkru(pkru);
  }

  readFpstate(fpstate: number, component: number): number {
    return this.look(this.at.image + fpstate * this.at.components + this.indexOf(component));
  }

  writeFpstate(fpstate: number, component: number, value: number): void {
    this.indexOf(component);
    this.emit(events.FpstateWritten, fpstate, component, value);
  }

  xstateBv(fpstate: number): number {
    return this.look(this.at.xstateBv + fpstate);
  }

  writeXstateBv(fpstate: number, xfeatures: number): void {
    this.emit(events.XstateBvWritten, fpstate, xfeatures);
  }

  headerOf(fpstate: number): number {
    return this.look(this.at.header + fpstate);
  }

  writeHeader(fpstate: number, header: number): void {
    this.emit(events.HeaderWritten, fpstate, header);
  }

  private indexOf(component: number): number {
    const index = this.at.indexOfBit[component];
    if (index < 0) this.refuseStep(`uses ${componentName(component)}, which this machine does not have`);
    return index;
  }

  // --- registers without memory, memory without registers -----------------------------------------------------------

  skipRestore(task: number): void {
    this.emit(events.RestoreSkipped, this.cpu, task);
  }

  initFpregs(xfeatures = this.allMask): void {
    this.needDeclaration('loads registers');
    const { pkru } = this;
    this.emit(events.FpregsInitialised, this.cpu, this.enabledOf(xfeatures));
    this.watchPkru(pkru);
  }

  isAllocated(fpstate: number): boolean {
    return this.look(this.at.allocated + fpstate) !== 0;
  }

  allocate(fpstate: number): void {
    this.emit(events.FpstateAllocated, fpstate);
  }

  free(fpstate: number): void {
    this.emit(events.FpstateFreed, fpstate);
  }

  initFpstate(fpstate: number): void {
    this.emit(events.FpstateInitialised, fpstate);
  }

  copyFpstate({ from, to }: { readonly from: number; readonly to: number }): void {
    this.emit(events.FpstateCopied, from, to);
  }

  saveVcpu(): void {
    const { bytes, save } = this.vcpuArea;
    this.emit(events.FpregsSaved, this.cpu, this.vcpuFpstate, this.allMask, bytes, save);
  }

  restoreVcpu(): void {
    const { bytes, restore } = this.vcpuArea;
    this.emit(events.FpregsRestored, this.cpu, this.vcpuFpstate, this.allMask, bytes, restore);
  }

  clobberByOtherGuest(): void {
    for (const bit of this.at.componentBits) {
      this.emit(events.FpregsWritten, this.cpu, bit, valueId(PRINCIPAL.otherGuest, 1));
    }
  }

  /** A kernel FPU section computes: its component gets a new value, which local 1 remembers. */
  useKernelFpu(): void {
    const value = valueId(PRINCIPAL.kernel, nextSerial(this.look(this.at.kernelSerial)));
    this.emit(events.FpregsWritten, this.cpu, this.kernelComponent, value);
    this.setLocal(1, value);
  }

  /** A kernel FPU section relies on what it computed before. */
  checkKernelFpu(): void {
    this.machine.stream.footprint?.readFpu(this.cpu, this.task);
    const index = this.at.indexOfBit[this.kernelComponent];
    const value = this.words[this.at.fpregs + this.cpu * this.at.components + index];
    this.emit(events.KernelFpregsChecked, this.cpu, this.task, this.kernelComponent, value, this.local(1));
  }

  // --- PKRU ---------------------------------------------------------------------------------------------------------

  /** The PKRU register; INIT on processors that have none. */
  protected get pkru(): number {
    return this.pkruWord < 0 ? INIT : this.look(this.pkruWord);
  }

  /** The debug watch that was thought of in June 2018: says which step changed PKRU inside a kernel FPU section. */
  private watchPkru(before: number): void {
    const { pkru } = this;
    if (pkru === before || !this.machine.isInKernelFpuSection(this.task, this.pc)) return;
    this.emit(events.KernelPkruChanged, this.cpu, this.task, this.pc, before, pkru);
  }
}
