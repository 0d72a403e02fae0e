import type { Violation } from '@fpulab/eventlog';
import { describeViolation } from '../src/report';

const FAULT: Violation = {
  id: 'unexpected-fault',
  component: null,
  task: 'A',
  step: 7,
  at: 'math_state_restore/clts',
  fault: '#NM',
  writer: 'nobody',
  reader: 'A',
  value: 'INIT',
  expected: 'INIT',
  chain: [],
};

it.each([
  ['#NM', 'A takes #NM in kernel mode'],
  ['double fault', 'the kernel stack of A overflows, and the CPU stops'],
  ['panic', 'the kernel panics in A, and the CPU stops'],
] as const)('says what a fault was: %s', (fault, text) => {
  expect(describeViolation({ ...FAULT, fault })).toBe(
    `unexpected-fault at event 7: ${text}, at math_state_restore/clts`,
  );
});

it('says who is shown what a target does not have', () => {
  const lost = { ...FAULT, id: 'lost-update', component: 'sse', value: 'INIT', expected: 'A#1' } as const;
  expect(describeViolation(lost)).toBe('lost-update at event 7: A reads INIT in sse, but wrote A#1');
  expect(describeViolation({ ...lost, reader: 'D' })).toBe(
    'lost-update at event 7: D is shown INIT in sse, but A has A#1',
  );
});
