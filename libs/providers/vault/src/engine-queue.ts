/**
 * Runs at most `width` calls at one engine at a time, first come, first served. The database plugin of Vault works on
 * one call at a time, and a call that waits there uses up its timeout.
 */
export class EngineQueue {
  private readonly byEngine = new Map<string, { busy: number; readonly waiting: (() => void)[] }>();

  async run<T>(engine: string, width: number, call: () => Promise<T>): Promise<T> {
    const calls = this.byEngine.get(engine) ?? { busy: 0, waiting: [] };
    this.byEngine.set(engine, calls);
    // a finished call hands its slot to the next waiting call, so that no new call can take it
    if (calls.busy < width) calls.busy += 1;
    else await new Promise<void>((resume) => calls.waiting.push(resume));
    try {
      return await call();
    } finally {
      const next = calls.waiting.shift();
      if (next !== undefined) next();
      else if ((calls.busy -= 1) === 0) this.byEngine.delete(engine);
    }
  }
}
