/**
 * Runs at most `width` calls at one engine at a time, first come, first served. The database plugin of Vault works on
 * one call at a time, and a call that waits there uses up its timeout.
 */
export class EngineQueue {
  private readonly lanes = new Map<string, { busy: number; readonly waiting: (() => void)[] }>();

  async run<T>(engine: string, width: number, call: () => Promise<T>): Promise<T> {
    const lane = this.lanes.get(engine) ?? { busy: 0, waiting: [] };
    this.lanes.set(engine, lane);
    // a finished call hands its slot to the next waiting call, so that no new call can take it
    if (lane.busy < width) lane.busy += 1;
    else await new Promise<void>((resume) => lane.waiting.push(resume));
    try {
      return await call();
    } finally {
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else if ((lane.busy -= 1) === 0) this.lanes.delete(engine);
    }
  }
}
