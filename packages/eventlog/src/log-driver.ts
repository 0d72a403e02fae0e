import {
  CHOICE_KINDS,
  FpuError,
  events as coreEvents,
  isEvent,
  type ChoiceDriver,
  type ChoiceRequest,
  type MachineEvent,
} from '@fpulab/core';

/**
 * Answers choices as a log recorded them, and checks at each that the same alternatives are enabled as then.
 *
 * @throws FpuError FPU302 from `choose`, at the first choice that no longer fits, naming both sides
 */
export function logDriver(events: readonly MachineEvent[]): ChoiceDriver {
  const choices = events.filter((event) => isEvent(event, coreEvents.ChoiceMade));
  let position = 0;
  return {
    choose(request) {
      const recorded = choices[position];
      if (recorded === undefined) {
        throw diverged(
          `the log has ${choices.length} choices, but the run asks for another: ${describe(request)}`,
          request,
        );
      }
      const { kind, index, count, enabled, taken } = recorded.data;
      const same = kind === request.kind && count === request.count && enabled === request.enabled;
      if (!same || request.alternatives[index] !== taken) {
        const then = `${CHOICE_KINDS[kind]}, alternative ${index} of ${count}`;
        throw diverged(
          `at event ${recorded.seq} the log chose ${then}, but now the run asks for ${describe(request)}; was the composition changed?`,
          request,
        );
      }
      position++;
      return index;
    },
    getPosition: () => position,
    setPosition(next) {
      position = next;
    },
  };
}

function describe(request: ChoiceRequest): string {
  return `${CHOICE_KINDS[request.kind]} among ${enabledNames(request).join(', ')}`;
}

function enabledNames(request: ChoiceRequest): readonly string[] {
  return Array.from({ length: request.count }, (_, index) => request.name(request.alternatives[index]));
}

function diverged(message: string, request: ChoiceRequest): FpuError {
  return new FpuError('FPU302', message, { enabled: enabledNames(request) });
}
