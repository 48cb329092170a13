import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Catalog } from '@mayfly/declarations';
import { IdentityVerifier, IssuerKeySource } from '@mayfly/identity';
import { FakeIssuer, TestClock } from '@mayfly/testing';
import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { Permits } from './permits.js';
import { IdentityGuard } from './identity.guard.js';
import type { RefusalRecorder } from './refusal.recorder.js';

/** The keys of the issuer are pinned. */
const NO_FETCH = { fetchJson: async () => undefined, readFile: async () => '' };
const clock = new TestClock();
const ci = new FakeIssuer({ clock });
const verifier = new IdentityVerifier(new IssuerKeySource(NO_FETCH, clock), clock);
verifier.replaceIssuers([ci.trusted('ci')]);
const guard = new IdentityGuard(
  { getAllAndOverride: (of: unknown) => (of === Permits ? ['agent'] : undefined) } as unknown as Reflector,
  verifier,
  { requireFresh: () => undefined, bindingOf: () => undefined } as unknown as Catalog,
  { identity: async () => undefined } as unknown as RefusalRecorder,
);

/** True when the guard has decided after all pending work but timers is done. */
async function isAnswered(token: string): Promise<() => boolean> {
  const request = { headers: { authorization: `Bearer ${token}` }, routeOptions: {}, id: 'req_1' };
  const context = { switchToHttp: () => ({ getRequest: () => request }), getHandler: () => 0, getClass: () => 0 };
  let answered = false as boolean;
  guard.canActivate(context as unknown as ExecutionContext).then(
    () => (answered = true),
    () => (answered = true),
  );
  // The signature is checked outside of this thread.
  for (let turn = 0; turn < 50 && !answered; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return () => answered;
}

describe('the time of a refusal', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([
    ['of no issuer', () => ci.sign({ iss: 'https://nobody.example' })],
    ['of an unknown key', () => ci.sign({}, { kid: 'other' })],
    ['that is none', () => 'token'],
    ['with a wrong signature', () => `${ci.sign()}AA`],
  ])('the time of a refusal is the same for a token %s: when the floor has passed', async (_, token) => {
    const answered = await isAnswered(token());
    expect(answered()).toBe(false);
    await jest.advanceTimersByTimeAsync(5);
    await expect(untilTrue(answered)).resolves.toBe(true);
  });

  it('the time of a refusal for a proven token is that of its proof, and leaves no timer behind', async () => {
    const answered = await isAnswered(ci.sign({ aud: 'other' }));
    await expect(untilTrue(answered)).resolves.toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });
});

async function untilTrue(isTrue: () => boolean): Promise<boolean> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
  return true;
}
