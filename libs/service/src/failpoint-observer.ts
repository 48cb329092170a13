import { type Failpoint, type StepObserver, NO_OBSERVER } from '@mayfly/tasks';

/** A step, and the number of requests or leases that must reach it before the process is killed there. */
export interface Arrivals {
  readonly step: Failpoint;
  readonly count: number;
}

/**
 * For crash tests: holds everything that reaches the step, and kills the process with SIGKILL when as many as asked are there. So
 * one kill leaves several tasks at the same step.
 */
export function observerOf(failpoint: Arrivals | undefined, kill = killThisProcess): StepObserver {
  if (failpoint === undefined) return NO_OBSERVER;
  let arrived = 0;
  return {
    reached: (step) => {
      if (step !== failpoint.step) return undefined;
      arrived += 1;
      if (arrived === failpoint.count) kill();
      return new Promise(() => undefined);
    },
  };
}

function killThisProcess(): void {
  process.kill(process.pid, 'SIGKILL');
}
