import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from '@mayfly/telemetry';
import { type Running, stop } from './stop.js';

const log = createLogger({ level: 'silent', redact: (text) => text });
const NEVER = new Promise<never>(() => undefined);

/** A running service whose steps record their call, and then do what the case says. */
function runningWith(steps: Readonly<Record<string, () => Promise<void>>>) {
  const tried: string[] = [];
  const step = (name: string) => (): Promise<void> => {
    tried.push(name);
    return steps[name]?.() ?? Promise.resolve();
  };
  const running = {
    backing: { stop: step('backing') },
    app: { close: step('app') },
    background: { stop: step('background') },
    listener: { stop: step('listener') },
    services: {
      queue: { close: step('queue') },
      closing: { settled: step('closing') },
      denials: { flush: step('denials') },
      closeProviders: step('providers'),
      database: { close: step('database') },
    },
  } as unknown as Running;
  return { running, tried };
}

const ALL = ['app', 'background', 'queue', 'closing', 'denials', 'listener', 'providers', 'database', 'backing'];

describe('a stop', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('a stop ends requests first and the embedded PostgreSQL last', async () => {
    const { running, tried } = runningWith({});
    await stop(running, log);
    expect(tried).toEqual(ALL);
  });

  it('the stop of a start that reached only its database ends that database', async () => {
    const { running, tried } = runningWith({});
    await stop({ backing: running.backing }, log);
    expect(tried).toEqual(['backing']);
  });

  it.each(['app', 'background', 'queue', 'closing', 'denials', 'providers', 'database'])(
    'a stop tries every other step when %s fails, and says so',
    async (name) => {
      const { running, tried } = runningWith({ [name]: () => Promise.reject(new Error('broken')) });
      await expect(stop(running, log)).rejects.toMatchObject({ code: 'unavailable' });
      expect(tried).toEqual(ALL);
    },
  );

  it.each(['app', 'background', 'queue', 'closing', 'denials', 'providers', 'database'])(
    'a stop stops the embedded PostgreSQL also when %s does not end, and says so',
    async (name) => {
      const { running, tried } = runningWith({ [name]: () => NEVER });
      const stopped = expect(stop(running, log)).rejects.toMatchObject({ code: 'unavailable' });
      await jest.advanceTimersByTimeAsync(17_000);
      await stopped;
      expect(tried.at(-1)).toBe('backing');
    },
  );
});
