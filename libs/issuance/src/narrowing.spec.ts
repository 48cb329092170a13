import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { narrowLifetime, type LifetimeBounds } from './narrowing.js';

const provider = (kind: string, minTtlSeconds: number, maxTtlSeconds: number) => ({
  kind,
  traits: { revocation: 'immediate' as const, remote: true, minTtlSeconds, maxTtlSeconds },
});
const ample: LifetimeBounds = {
  template: { defaultSeconds: 600, maxSeconds: 1_800 },
  identitySeconds: 3_600,
  providers: [provider('dummy', 1, 43_200)],
};

describe('narrowLifetime', () => {
  it.each<[string, number, string, Partial<LifetimeBounds>]>([
    ['the default of the template', 600, 'template', {}],
    ['what was asked for', 60, 'request', { requestedSeconds: 60 }],
    ['what was asked for, beyond the default', 1_200, 'request', { requestedSeconds: 1_200 }],
    ['the most of the template', 1_800, 'template', { requestedSeconds: 1_801 }],
    ['the rest of the identity, in whole seconds', 59, 'identity', { identitySeconds: 59.999 }],
    [
      'the most of a provider',
      300,
      'provider token',
      { providers: [provider('a', 1, 900), provider('token', 1, 300)] },
    ],
    ['the floor itself', 60, 'request', { requestedSeconds: 60, providers: [provider('a', 60, 900)] }],
  ])('narrowLifetime grants %s', (_, grantedSeconds, limitedBy, bounds) => {
    expect(narrowLifetime({ ...ample, ...bounds })).toEqual({ grantedSeconds, limitedBy });
  });

  it.each<[string, string, Partial<LifetimeBounds>]>([
    ['below the floor of a provider', '60 s', { requestedSeconds: 59, providers: [provider('a', 60, 900)] }],
    [
      'below the highest floor of many',
      '60 s',
      { requestedSeconds: 59, providers: [provider('a', 60, 90), ...ample.providers] },
    ],
    ['when the identity is about to expire', '1 s', { identitySeconds: 0.9 }],
    ['when the identity has expired', '1 s', { identitySeconds: -5 }],
    ['when providers do not agree', '60 s', { providers: [provider('a', 60, 900), provider('b', 1, 30)] }],
    ['of nothing', '1 s', { requestedSeconds: 0 }],
  ])('narrowLifetime refuses a lifetime %s, naming the floor', (_, floor, bounds) => {
    expect(() => narrowLifetime({ ...ample, ...bounds })).toThrow(
      expect.objectContaining({
        code: 'policy_denied',
        detail: expect.stringContaining(`floor of ${floor}`),
        extensions: expect.objectContaining({ control: 'lifetime' }),
      }),
    );
  });

  it('narrowLifetime never grants more than any bound, nor less than any floor', () => {
    const seconds = fc.integer({ min: 0, max: 50_000 });
    const bounds = fc.record(
      {
        requestedSeconds: seconds,
        template: fc
          .tuple(seconds, seconds)
          .map(([one, other]) => ({ defaultSeconds: Math.min(one, other), maxSeconds: Math.max(one, other) })),
        identitySeconds: fc.double({ min: -10, max: 50_000, noNaN: true }),
        providers: fc.array(
          fc.tuple(seconds, seconds).map(([min, max]) => provider('any', min, max)),
          { maxLength: 4 },
        ),
      },
      { requiredKeys: ['template', 'identitySeconds', 'providers'] },
    );
    fc.assert(
      fc.property(bounds, (given) => {
        const most = Math.min(
          given.requestedSeconds ?? given.template.defaultSeconds,
          given.template.maxSeconds,
          given.identitySeconds,
          ...given.providers.map(({ traits }) => traits.maxTtlSeconds),
        );
        const least = Math.max(1, ...given.providers.map(({ traits }) => traits.minTtlSeconds));
        try {
          const { grantedSeconds } = narrowLifetime(given);
          expect(grantedSeconds).toBe(Math.floor(most));
          expect(grantedSeconds).toBeGreaterThanOrEqual(least);
        } catch (error) {
          expect(error).toMatchObject({ code: 'policy_denied' });
          expect(Math.floor(most)).toBeLessThan(least);
        }
      }),
      { numRuns: 500 },
    );
  });
});
