import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { holdDeadlines } from '@mayfly/testing';
import { isSecretReference, resolveSecrets, withDeadline } from './secret-reference.js';

describe('isSecretReference', () => {
  it.each(['env:PASSWORD', 'file:/run/secrets/password', 'file:a\nb'])('knows `%s`', (text) => {
    expect(isSecretReference(text)).toBe(true);
  });

  it.each(['', 'env:', 'file:', 'ENV:PASSWORD', ' env:PASSWORD', 'https://example', 'environment:x'])(
    'takes `%s` for a plain text',
    (text) => {
      expect(isSecretReference(text)).toBe(false);
    },
  );
});

describe('resolveSecrets', () => {
  const source = { read: async (reference: string) => `<${reference}>` };

  it('replaces references wherever they are, once, and nothing else', async () => {
    const config = { url: 'https://x', auth: [{ password: 'env:A' }, 'file:B', 7, null, true], none: {} };
    expect(await resolveSecrets(config, source)).toEqual({
      url: 'https://x',
      auth: [{ password: '<env:A>' }, '<file:B>', 7, null, true],
      none: {},
    });
    expect(config.auth[1]).toBe('file:B');
  });

  it('does not look a secret up that looks like a reference itself', async () => {
    expect(await resolveSecrets('env:A', { read: async () => 'env:B' })).toBe('env:B');
  });

  it('fails as its source fails', async () => {
    const problem = new Problem('unavailable', 'the secret `env:A` cannot be read');
    await expect(resolveSecrets({ a: ['env:A'] }, { read: () => Promise.reject(problem) })).rejects.toBe(problem);
  });
});

describe('withDeadline', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('gives what the call gives', async () => {
    const deadlines = holdDeadlines();
    expect(await withDeadline(10, async () => 'done')).toBe('done');
    expect(deadlines.seconds).toEqual([10]);
  });

  it('gives up on a call that hangs, and tells it so', async () => {
    const deadlines = holdDeadlines();
    const signals: AbortSignal[] = [];
    const answer = withDeadline(10, (signal) => {
      signals.push(signal);
      return new Promise<never>(() => undefined);
    });
    expect(signals[0]?.aborted).toBe(false);
    deadlines.strike();
    await expect(answer).rejects.toMatchObject({
      code: 'provider_unavailable',
      detail: expect.stringContaining('10 s'),
    });
    expect(signals[0]?.aborted).toBe(true);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('refused'))],
    [
      'throws',
      () => {
        throw new Error('refused');
      },
    ],
  ])('fails as a call that %s, and stays silent when its time comes', async (_, call) => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const deadlines = holdDeadlines();
    await expect(withDeadline(10, call)).rejects.toThrow('refused');
    deadlines.strike();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
