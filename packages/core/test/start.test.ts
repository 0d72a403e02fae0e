import { Subject as RxSubject } from 'rxjs';
import { Subject } from '../src/subject';
import type * as Core from '../src/index';

/** What is loaded when it is first used. */
const LATE = ['zod', '../src/x86/cpu-model-schema', '../src/x86/decoder', '../src/x86/instructions'];

describe('the start of a process', () => {
  it('takes the Subject that rxjs exports', () => {
    expect(Subject).toBe(RxSubject);
  });

  it('loads neither the CPU model schema nor what runs machine code', () => {
    jest.isolateModules(() => {
      const loaded: string[] = [];
      for (const module of LATE) {
        jest.doMock(module, () => {
          loaded.push(module);
          return jest.requireActual<object>(module);
        });
      }
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- in the registry with the mocks
      const core = require('../src/index') as typeof Core;
      expect(core.cpuModel('zen4').id).toBe('zen4');
      expect(loaded).toEqual([]);
      const nop = core.decode(Uint8Array.of(0x90), 0, 64);
      expect(core.isModelledInFull(nop)).toBe(true);
      expect(() => core.parseCpuModel({})).toThrow('fpulab/cpu@1');
      expect(core.cpuModelSchema.safeParse({}).success).toBe(false);
      expect(loaded).toEqual(['../src/x86/decoder', '../src/x86/instructions', '../src/x86/cpu-model-schema', 'zod']);
    });
  });
});
