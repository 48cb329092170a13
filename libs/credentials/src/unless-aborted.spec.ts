import { describe, expect, it } from '@jest/globals';
import { unlessAborted } from './unless-aborted.js';

const NEVER = new Promise<never>(() => undefined);

describe('unlessAborted', () => {
  it('unlessAborted passes the outcome on', async () => {
    const { signal } = new AbortController();
    await expect(unlessAborted(signal, Promise.resolve(7))).resolves.toBe(7);
    await expect(unlessAborted(signal, Promise.reject(new Error('seven')))).rejects.toThrow('seven');
  });

  it('unlessAborted rejects with what it is given', async () => {
    await expect(unlessAborted(AbortSignal.abort(), NEVER, () => new Error('late'))).rejects.toThrow('late');
  });

  it('unlessAborted rejects as soon as the signal aborts, and when it has aborted before', async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(controller.signal, NEVER);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    await expect(unlessAborted(controller.signal, NEVER)).rejects.toMatchObject({ code: 'aborted' });
  });
});
