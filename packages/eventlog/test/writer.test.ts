import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FpuError, ORACLES, cpuModel, cpuModelFile, parseCpuModel, step, type Patch, scenarioOf } from '@fpulab/core';
import { CLASSIC_GUEST, GUEST_FIX } from '@fpulab/policies';
import {
  LOG_OUTCOMES,
  VerdictCounter,
  fileSink,
  memorySink,
  readLog,
  recordLog,
  replayLog,
  type LogSink,
} from '@fpulab/eventlog';
import { faultOf, fpuErrorOf, linesOf, machineOf, metaOf, read, record } from './helpers';

describe('a log', () => {
  const { text, live, summary, machine } = record();
  const lines = linesOf(text);

  it('has one JSON object per line: header, every event, footer', () => {
    expect(text.endsWith('}\n')).toBe(true);
    expect(lines.every((line) => line.startsWith('{') && line.endsWith('}'))).toBe(true);
    expect(lines).toHaveLength(live.length + 2);
    expect(live.map((event) => event.seq)).toEqual(live.map((_, index) => index));
  });

  it('says in its header what was run and how the state is laid out', () => {
    const { steps, slots, programs, ...header } = JSON.parse(lines[0]);
    expect(header).toEqual({
      kind: 'header',
      format: 'fpulab-events',
      version: 3,
      fpulab: '0.1.0',
      scenario: 'xen-pv-leak',
      preset: 'linux-3.6',
      policies: ['lazy-cr0-ts'],
      platform: 'xen-pv',
      patches: [],
      cpu: cpuModelFile(cpuModel('sandybridge')),
      cpus: 1,
      seed: null,
      replay: null,
      oracles: scenarioOf('xen-pv-leak').oracles,
      tasks: ['A', 'B', 'X', 'idle0'],
      sizes: { machine: 1, cpu: 1, task: 4, fpstate: 5 },
      componentBits: [0, 1, 2],
      stackDepth: 16,
      fpstateEmbedded: false,
      fpstateKinds: ['task'],
      signals: false,
      dynamicXfeatures: 0,
      borrowedMm: false,
      ptrace: false,
      roles: {
        owner: 'lazy-cr0-ts.fpu_owner_task',
        active: 'lazy-cr0-ts.has_fpu',
        used: 'lazy-cr0-ts.PF_USED_MATH',
        guestTs: 'xen-pv.guest_ts',
        dirtied: 'xen-pv.fpu_dirtied',
        cr0Cache: 'xen-pv.xen_cr0_value',
      },
    });
    expect(programs).toEqual([
      ['mmx.write', 'nanosleep', 'mmx.read', 'exit'],
      ['mmx.read', 'mmx.write', 'nanosleep', 'mmx.read', 'exit'],
      ['mmx.write', 'nanosleep', 'mmx.read', 'exit'],
      [],
    ]);
    expect(slots).toEqual(machine.composition.slotFields());
    expect(steps).toEqual(machine.stepLabels);
  });

  it('holds the full CPU model: what was read from it is the model that ran', () => {
    const { cpu } = readLog(Buffer.from(text)).header;
    expect(parseCpuModel(cpu)).toEqual(cpuModel('sandybridge'));
  });

  it('names the patches and the seed of a run', () => {
    const patched = record({ patches: [GUEST_FIX], seed: 42n, stepsMax: 1 });
    expect(JSON.parse(linesOf(patched.text)[0])).toMatchObject({ patches: ['guest-fix'], seed: '0x2a' });
  });

  it('writes the keys of an event in one order, values in hex, steps and slots by name', () => {
    expect(lines[1]).toBe(
      '{"seq":0,"t":"0","stream":"task/0","pos":0,"type":"task.created","v":1,"by":"kernel","task":0,' +
        '"data":{"at":"kernel_execve/__switch_to/switch_fpu_finish","status":"0x10012","user":0,"userStatus":"0x0"}}',
    );
    const lineOf = (type: string): string => lines[1 + live.findIndex((event) => event.type === type)];
    expect(lineOf('cpu.booted')).toBe(
      '{"seq":4,"t":"4","cpu":0,"stream":"cpu/0","pos":0,"type":"cpu.booted","v":1,"by":"kernel","task":3,"data":{}}',
    );
    expect(lineOf('slot.written')).toMatch(/"data":\{"slot":"xen-pv\.lazy_cpu_mode\[0\]","value":1\},"cause":\d+\}$/);
    expect(lineOf('fpregs.written')).toMatch(/"data":\{"component":0,"value":"0x300001"\},"cause":\d+\}$/);
    expect(lineOf('task.switched')).toMatch(/"data":\{"prev":3,"next":2\}/);
    expect(lines.some((line) => line.includes('"next":"return"'))).toBe(true);
  });

  it('says in its footer how the run ended, under a checksum of everything before it', () => {
    const footer = lines.at(-1) ?? '';
    const covered = text.slice(0, -67);
    expect(covered.endsWith('"sha256":"')).toBe(true);
    expect(JSON.parse(footer)).toEqual({
      kind: 'footer',
      events: live.length,
      outcome: 'finished',
      verdict: 'violation',
      violations: 3,
      digest: machine.digest(),
      sha256: createHash('sha256').update(covered).digest('hex'),
    });
    expect(summary).toEqual({ digest: machine.digest(), verdict: 'violation', events: live.length });
  });

  it('is the same bytes whenever the choices are the same', () => {
    expect(record().text).toBe(text);
    const seeded = { scenario: 'preemption', seed: 7n } as const;
    expect(record(seeded).text).toBe(record(seeded).text);
    expect(record({ ...seeded, seed: 8n }).text).not.toBe(record(seeded).text);
  });

  it('gives no verdict when a run was cut short before any violation', () => {
    for (const outcome of ['interrupted', 'failed'] as const) {
      const sink = memorySink();
      expect(recordLog(machineOf(), metaOf(), sink).finish({ outcome }).verdict).toBeNull();
      expect(read(sink.text()).footer).toMatchObject({ outcome, verdict: null, events: 0 });
    }
    expect(record({ stepsMax: 3 }).summary.verdict).toBe('clean');
  });

  describe('of a run whose CPU stopped for good', () => {
    /** The idle task kills itself before it has run anybody. */
    const panic: Patch = {
      id: 'panic',
      title: 'cpu_init kills the idle task',
      source: 'test',
      edits: [
        {
          edit: 'insert-before',
          routine: 'fpu__init_cpu',
          step: 'clts at boot',
          nodes: [step('kill', (k) => k.killCurrent())],
        },
      ],
    };

    const panicked = { preset: 'linux-4.8', platform: 'bare-metal', patches: [panic] } as const;

    it('is halted without a verdict when nothing was violated that decides: who was still to run never did', () => {
      const { text, live, summary, machine } = record({ ...panicked, oracles: ['leak'] });
      expect(live.slice(-2).map(({ type }) => type)).toEqual(['kernel.panicked', 'oracle.violated']);
      expect(summary).toEqual({ digest: machine.digest(), verdict: null, events: live.length });
      const log = read(text);
      expect(log.footer).toMatchObject({ outcome: 'halted', verdict: null, violations: 0, events: live.length });
      expect(replayLog(log)).toMatchObject({
        digest: machine.digest(),
        applied: live.length,
        complete: true,
        verdict: null,
      });
    });

    it('is halted with a violation, since a CPU that stops is one', () => {
      const { text } = record(panicked);
      expect(read(text).footer).toMatchObject({ outcome: 'halted', verdict: 'violation', violations: 1 });
    });

    it('is halted with its violation when there was one before', () => {
      const { text, live } = record({ platform: 'bare-metal', patches: [CLASSIC_GUEST] });
      expect(live.at(-1)?.type).toBe('kernel.stack-overflowed');
      const log = read(text);
      expect(log.footer).toMatchObject({ outcome: 'halted', verdict: 'violation', violations: 1 });
      expect(replayLog(log)).toMatchObject({ complete: true, verdict: 'violation' });
    });
  });

  it('is clean only when the run came to its end or its limit without a violation', () => {
    const counter = new VerdictCounter({ oracles: ['leak'] });
    const verdicts = (): unknown =>
      Object.fromEntries(LOG_OUTCOMES.map((outcome) => [outcome, counter.verdict(outcome)]));
    expect(verdicts()).toEqual({
      finished: 'clean',
      halted: null,
      'step-limit': 'clean',
      interrupted: null,
      failed: null,
    });
    const violated = { seq: 0, type: 'oracle.violated', by: 'oracle', cause: -1 };
    const data = { cpu: 0, reader: 0, component: 0, value: 1, expected: 0 };
    counter.observe({ ...violated, data: { ...data, oracle: ORACLES.indexOf('validity') } });
    expect(counter.verdict('halted')).toBeNull();
    counter.observe({ ...violated, data: { ...data, oracle: ORACLES.indexOf('leak') } });
    expect(verdicts()).toEqual(Object.fromEntries(LOG_OUTCOMES.map((outcome) => [outcome, 'violation'])));
  });

  it('must start with the first event', () => {
    const started = machineOf();
    started.step();
    expect(faultOf(() => recordLog(started, metaOf(), memorySink()))).toBe('FPU404');
  });
});

describe('the file sink', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fpulab-log-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const recordTo = (path: string): void => {
    const machine = machineOf();
    const recorder = recordLog(machine, metaOf(), fileSink(path));
    recorder.finish(machine.run());
  };

  it('writes the same bytes as the memory sink', () => {
    const path = join(folder, 'plain.events.jsonl');
    recordTo(path);
    expect(readFileSync(path, 'utf8')).toBe(record().text);
    expect(readLog(path).footer.verdict).toBe('violation');
  });

  it('writes long logs in chunks as they come', () => {
    const path = join(folder, 'long.events.jsonl');
    const machine = machineOf({ scenario: 'endless' });
    const recorder = recordLog(machine, metaOf(), fileSink(path));
    const { outcome } = machine.run({ stepsMax: 1000 });
    expect(readFileSync(path).length).toBeGreaterThan(65_536);
    recorder.finish({ outcome });
    expect(readLog(path).footer.outcome).toBe('step-limit');
  });

  it('compresses .gz, with nothing of the host in it', () => {
    const [path, again] = ['a.events.jsonl.gz', 'b.events.jsonl.gz'].map((name) => join(folder, name));
    recordTo(path);
    recordTo(again);
    const bytes = readFileSync(path);
    expect(gunzipSync(bytes).toString()).toBe(record().text);
    expect([...bytes.subarray(4, 10)]).toEqual([0, 0, 0, 0, 0, 255]);
    expect(readFileSync(again).equals(bytes)).toBe(true);
    expect(readLog(path)).toEqual(read(record().text));
  });

  it('reports a path that cannot be created', () => {
    const path = join(folder, 'nowhere', 'x.events.jsonl');
    const error = fpuErrorOf(() => fileSink(path));
    expect(error.code).toBe('FPU503');
    expect(error.detail).toEqual({ file: path });
  });

  const full = '/dev/full';
  (existsSync(full) ? it : it.skip)('reports a full disk when the log is finished, not into the stream', () => {
    const machine = machineOf({ scenario: 'endless' });
    const recorder = recordLog(machine, metaOf(), fileSink(full));
    const result = machine.run({ stepsMax: 1000, stop: () => recorder.failed });
    expect(recorder.failed).toBe(true);
    expect(fpuErrorOf(() => recorder.finish(result)).code).toBe('FPU503');
  });
});

describe('a sink that fails', () => {
  it('is written to no more, closed all the same, and reported once', () => {
    const calls: string[] = [];
    const sink: LogSink = {
      write: () => {
        calls.push('write');
        if (calls.length > 3) throw new FpuError('FPU503', 'the disk is full');
      },
      close: () => void calls.push('close'),
    };
    const machine = machineOf();
    const recorder = recordLog(machine, metaOf(), sink);
    const result = machine.run();
    expect(fpuErrorOf(() => recorder.finish(result)).message).toBe('the disk is full');
    expect(calls).toEqual(['write', 'write', 'write', 'write', 'close']);
  });
});
