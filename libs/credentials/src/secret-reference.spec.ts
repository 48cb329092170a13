import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { holdDeadlines } from '@mayfly/testing';
import { isSecretReference, resolveSecrets, strayReferences, withDeadline } from './secret-reference.js';

describe('isSecretReference', () => {
  it.each(['env:PASSWORD', 'file:/run/secrets/password', 'file:a\nb'])('isSecretReference knows `%s`', (text) => {
    expect(isSecretReference(text)).toBe(true);
  });

  it.each(['', 'env:', 'file:', 'ENV:PASSWORD', ' env:PASSWORD', 'https://example', 'environment:x'])(
    'isSecretReference takes `%s` for a plain text',
    (text) => {
      expect(isSecretReference(text)).toBe(false);
    },
  );
});

describe('strayReferences', () => {
  it('strayReferences points at every reference that is not a secret member, escaped as RFC 6901 says', () => {
    const config = { url: 'env:A', address: { host: 'env:B' }, 'a/b~': ['x', 'file:/c', null, 7, true] };
    expect(strayReferences(config, ['/url'])).toEqual(['/address/host', '/a~1b~0/1']);
  });

  it('strayReferences takes a member as it is named, and nothing below or beside it', () => {
    expect(strayReferences({ url: { part: 'env:A' }, urls: 'env:B' }, ['/url'])).toEqual(['/url/part', '/urls']);
    expect(strayReferences({ auth: [{ password: 'env:A' }] }, ['/auth/0/password'])).toEqual([]);
  });
});

describe('resolveSecrets', () => {
  const source = { read: async (reference: string) => `<${reference}>` };

  it('resolveSecrets replaces the references at secret members, once, and nothing else', async () => {
    const config = { url: 'env:A', auth: [{ password: 'file:/b' }, 7, null, true], plain: 'x', none: {} };
    expect(await resolveSecrets(config, source, ['/url', '/auth/0/password', '/gone'])).toEqual({
      url: '<env:A>',
      auth: [{ password: '<file:/b>' }, 7, null, true],
      plain: 'x',
      none: {},
    });
    expect(config.url).toBe('env:A');
  });

  it('resolveSecrets leaves a secret member that is no reference', async () => {
    expect(await resolveSecrets({ url: 'plain' }, source, ['/url'])).toEqual({ url: 'plain' });
  });

  it('resolveSecrets does not look a secret up that looks like a reference itself', async () => {
    expect(await resolveSecrets({ a: 'env:A' }, { read: async () => 'env:B' }, ['/a'])).toEqual({ a: 'env:B' });
  });

  it('resolveSecrets reads nothing at all when a reference stands elsewhere', async () => {
    const read = jest.fn(source.read);
    const config = { url: 'env:A', address: { host: 'env:MAYFLY_SEALING_KEY' } };
    const refused = resolveSecrets(config, { read }, ['/url']);
    await expect(refused).rejects.toMatchObject({
      code: 'provider_rejected',
      detail: expect.stringContaining('`/address/host`'),
    });
    await expect(refused).rejects.not.toMatchObject({ detail: expect.stringContaining('SEALING') });
    expect(read).not.toHaveBeenCalled();
  });

  it('resolveSecrets fails as its source fails', async () => {
    const problem = new Problem('unavailable', 'the secret `env:A` cannot be read');
    await expect(resolveSecrets({ a: 'env:A' }, { read: () => Promise.reject(problem) }, ['/a'])).rejects.toBe(problem);
  });
});

describe('withDeadline', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('withDeadline gives what the call gives', async () => {
    const deadlines = holdDeadlines();
    expect(await withDeadline(10, async () => 'done')).toBe('done');
    expect(deadlines.seconds).toEqual([10]);
  });

  it('withDeadline gives up on a call that hangs, and tells it so', async () => {
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
  ])('withDeadline fails as a call that %s, and stays silent when its time comes', async (_, call) => {
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
