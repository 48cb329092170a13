import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { AnyProvider } from './provider.js';
import { connectionsOf, objectionsTo, probeable, renewable, traitsOf } from './provider-questions.js';

const traits = { revocation: 'immediate', minTtlSeconds: 1, maxTtlSeconds: 60, remote: true } as const;
const plain = { kind: 'plain', traits } as unknown as AnyProvider;

class Able {
  readonly kind = 'able';
  readonly schemas = { scope: z.strictObject({ at: z.string() }) };
  readonly traits = traits;
  private readonly greeting = 'renewed';
  renew() {
    return Promise.resolve(this.greeting);
  }
  traitsFor(config: { readonly maxTtlSeconds: number }) {
    return { ...traits, ...config };
  }
  inspect(_config: unknown, scope: { readonly at: string }) {
    return [{ severity: 'error' as const, detail: `not at \`${scope.at}\`` }];
  }
  connectionsOf({ at }: { readonly at: string }) {
    return [at];
  }
}
const able = new Able() as unknown as AnyProvider;

describe('questions to a provider', () => {
  it('questions to a provider give the provider with the part that it has, and nothing for a part that it lacks', async () => {
    expect(await renewable(able)?.renew({} as never, {}, new AbortController().signal)).toBe('renewed');
    expect(probeable(able)).toBeUndefined();
    expect(renewable(plain)).toBeUndefined();
  });

  it('questions to a provider have an answer for a provider without the part', () => {
    expect(traitsOf(plain, {})).toBe(traits);
    expect(objectionsTo(plain, {}, {})).toEqual([]);
    expect(connectionsOf(plain, {})).toEqual([]);
  });

  it('questions to a provider are answered by the part where it is there', () => {
    expect(traitsOf(able, { maxTtlSeconds: 5 })).toMatchObject({ maxTtlSeconds: 5 });
    expect(objectionsTo(able, {}, { at: 'crm' })).toEqual([{ severity: 'error', detail: 'not at `crm`' }]);
    expect(connectionsOf(able, { at: 'crm' })).toEqual(['crm']);
    expect(connectionsOf(able, { at: 1 })).toEqual([]);
  });
});
