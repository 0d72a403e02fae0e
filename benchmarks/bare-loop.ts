/** What this machine can do at all: a loop that stores into an Int32Array. */
export function bareLoop(): number {
  const iterations = 50_000_000;
  const words = new Int32Array(1024);
  return best(3, () => {
    for (let i = 0; i < iterations; i++) words[i & 1023] += i;
    return iterations;
  });
}

/** The best rate, in units per second, of some runs of `work`, which returns how many units it did. */
export function best(runs: number, work: () => number): number {
  let rate = 0;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const units = work();
    rate = Math.max(rate, (units / (performance.now() - start)) * 1000);
  }
  return rate;
}

/** `scenario=... <unit>/s=... bare-loop-ratio=...` */
export function line(scenario: string, unit: string, rate: number, baseline: number): string {
  return `scenario=${scenario} ${unit}/s=${Math.round(rate)} bare-loop-ratio=1:${(baseline / rate).toFixed(0)}`;
}
