import { describe, expect, it } from '@jest/globals';
import type { AnyProvider, MintOrder } from './provider.js';
import { ProviderRegistry } from './registry.js';

const providerOf = (kind: string) => ({ kind }) as AnyProvider;
const order = {} as MintOrder<unknown, unknown>;
const minted = { handle: {}, secret: { token: 'x' }, providerExpiresAt: new Date(0) };

describe('ProviderRegistry', () => {
  const [dummy, token] = [providerOf('dummy'), providerOf('signed-token')];
  const registry = new ProviderRegistry([
    { provider: dummy },
    { provider: token, check: (_, { secret }) => (secret.token === 'x' ? 'it is forged' : undefined) },
  ]);

  it('ProviderRegistry gives a provider by its kind, and all of them in order', () => {
    expect(registry.get('signed-token')).toBe(token);
    expect(registry.all).toEqual([dummy, token]);
  });

  it.each(['vault', '', 'constructor', 'Dummy'])(
    'ProviderRegistry refuses the kind `%s` and names those that exist',
    (kind) => {
      expect(() => registry.get(kind)).toThrow(
        expect.objectContaining({
          code: 'invalid_declaration',
          detail: expect.stringContaining('dummy, signed-token'),
        }),
      );
    },
  );

  it('ProviderRegistry lets the judge of a provider check the minted credential', () => {
    expect(registry.check('signed-token', order, minted)).toBe('it is forged');
    expect(registry.check('signed-token', order, { ...minted, secret: {} })).toBeUndefined();
  });

  it('ProviderRegistry accepts a credential that its judge cannot read', () => {
    expect(registry.check('dummy', order, minted)).toBeUndefined();
  });
});
