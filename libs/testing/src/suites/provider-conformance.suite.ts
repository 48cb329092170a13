import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { CredentialProvider, Minted, MintOrder, Renewable, RevocationOutcome, Usable } from '@mayfly/credentials';
import { addSeconds, type JsonObject, Problem, type LeaseId } from '@mayfly/kernel';
import { mintOrder } from '../mint-order.js';

/** A provider with a target that answers calls. */
export interface ProviderSubject<Config, Scope, Handle> {
  readonly provider: CredentialProvider<Config, Scope, Handle> &
    Partial<Renewable<Config, Scope, Handle>> &
    Partial<Usable<Config, Handle>>;
  readonly config: Config;
  readonly scope: Scope;
  /** the target's time */
  now(): Date;
  /**
   * Uses the credential as an agent would. True when the target accepts it now, or at `at` if the target's time can be
   * set.
   */
  isAlive(secret: Minted<Handle>['secret'], at?: Date): Promise<boolean>;
  /**
   * True when the target has any object for this handle, working or not. Absent when the target keeps no object of a
   * credential, because a resource server verifies it offline.
   */
  isPresent?(handle: Handle): Promise<boolean>;
  /** the parts of a secret that only the agent may see */
  secretTexts(secret: Minted<Handle>['secret']): readonly string[];
  /** a scope that the target refuses; absent when it refuses none */
  readonly refusedScope?: Scope;
  /** configurations whose target cannot be reached; `canaries` are the secrets in them */
  readonly brokenConfigs?: readonly Config[];
  readonly canaries?: readonly string[];
  /** Makes the target receive the mint of this lease and not answer it. */
  stall?(order: MintOrder<Config, Scope>, handle: Handle): Promise<Stall>;
  close(): Promise<void>;
}

interface Stall {
  /** Resolves once the target has received the call. */
  reached(): Promise<void>;
  release(): Promise<void>;
}

/** The abilities of the provider; the suite skips the cases that it lacks the ability for. */
export interface Abilities {
  readonly remote: boolean;
  readonly renewable: boolean;
  readonly refusesScopes: boolean;
  readonly stalls: boolean;
  /** True when the provider can use a credential of the subject's scope itself. */
  readonly usable?: boolean;
  /**
   * True when the target records each credential, so that it can prove that none exists and refuse a second one of the
   * same name. The default is true.
   */
  readonly keepsRecord?: boolean;
}

const GONE = ['revoked', 'already_gone'];

/** Tests that every `CredentialProvider` must pass against its real target. */
export function providerConformanceSuite<Config, Scope, Handle>(
  name: string,
  abilities: Abilities,
  makeSubject: () => Promise<ProviderSubject<Config, Scope, Handle>>,
): void {
  describe(`${name} keeps the provider contract`, () => {
    let subject: ProviderSubject<Config, Scope, Handle>;
    const recorded = new Map<LeaseId, Handle>();
    const isRecorded = abilities.remote && abilities.keepsRecord !== false;
    const noneLeft = isRecorded ? ['already_gone'] : GONE;
    const whenRemote = abilities.remote ? it : it.skip;
    const whenRenewable = abilities.renewable ? it : it.skip;
    // without a remote effect there is nothing to test at a target: the lease decides
    const whenRemoteAndRenewable = abilities.remote && abilities.renewable ? it : it.skip;
    const whenRefusing = abilities.refusesScopes ? it : it.skip;
    const whenUsable = abilities.usable === true ? it : it.skip;
    const whenStalling = abilities.stalls ? it : it.skip;

    beforeAll(async () => {
      subject = await makeSubject();
    });
    afterAll(async () => {
      await subject.close();
    });

    function orderFor(overrides: Partial<MintOrder<Config, Scope>> = {}): MintOrder<Config, Scope> {
      const order = mintOrder(subject.config, subject.scope, overrides.issuedAt ?? subject.now(), overrides);
      return { maxExpiresAt: addSeconds(order.expiresAt, 600), ...order };
    }
    async function mint(
      order: MintOrder<Config, Scope>,
      signal = AbortSignal.timeout(20_000),
    ): Promise<Minted<Handle>> {
      return subject.provider.mint(order, subject.provider.plan(order), signal, async (handle) => {
        recorded.set(order.leaseId, handle);
        return true;
      });
    }
    /**
     * Revokes with the last recorded handle, or with the plan for the valid configuration, until the revocation is
     * proven or acknowledged.
     */
    async function revoke(order: MintOrder<Config, Scope>): Promise<RevocationOutcome> {
      for (;;) {
        const handle = recorded.get(order.leaseId) ?? subject.provider.plan({ ...order, config: subject.config });
        const outcome = await subject.provider.revoke({ ...order, handle }, AbortSignal.timeout(20_000));
        if (outcome.kind !== 'not_yet' || outcome.effectiveAt !== undefined) return outcome;
        await pause(Math.min(outcome.retryAfterSeconds ?? 1, 1) * 1000);
      }
    }
    /** Expects that the target has an object for this handle, or none, if it keeps objects. */
    const expectPresence = async (handle: Handle, present: boolean): Promise<void> => {
      if (subject.isPresent !== undefined) expect(await subject.isPresent(handle)).toBe(present);
    };
    /** True when the target accepts the credential at the instant from which it should refuse it. */
    const isAliveAfter = (outcome: RevocationOutcome, secret: Minted<Handle>['secret']): Promise<boolean> =>
      subject.isAlive(secret, 'effectiveAt' in outcome ? outcome.effectiveAt : undefined);

    it('the provider has the traits that the suite was given', () => {
      expect(subject.provider.traits.remote).toBe(abilities.remote);
      expect(subject.provider.renew !== undefined).toBe(abilities.renewable);
      expect(subject.provider.canUse?.(subject.scope as JsonObject) ?? false).toBe(abilities.usable ?? false);
      expect(subject.refusedScope !== undefined).toBe(abilities.refusesScopes);
      expect(subject.stall !== undefined).toBe(abilities.stalls);
      expect(subject.isPresent !== undefined).toBe(abilities.remote);
    });

    it('the provider plans the same valid handle for the same order, and another one for another lease', () => {
      const order = orderFor();
      const handle = subject.provider.plan(order);
      expect(subject.provider.plan({ ...order })).toEqual(handle);
      expect(subject.provider.schemas.handle.parse(handle)).toEqual(handle);
      expect(subject.provider.plan(orderFor())).not.toEqual(handle);
    });

    it('the provider mints a credential that works, under the planned handle, and never past the granted deadline', async () => {
      const order = orderFor();
      const { handle, secret, providerExpiresAt } = await mint(order);
      expect(await subject.isAlive(secret)).toBe(true);
      await expectPresence(handle, true);
      expect(handle).toMatchObject(subject.provider.plan(order) as object);
      expect(subject.provider.schemas.handle.parse(handle)).toEqual(handle);
      expect(providerExpiresAt.getTime()).toBeLessThanOrEqual(order.expiresAt.getTime());
      expect(providerExpiresAt.getTime()).toBeGreaterThan(order.issuedAt.getTime());
      await revoke(order);
    });

    it('the provider leaves at most one usable credential when it mints twice under one handle, and never calls that proof of none', async () => {
      const order = orderFor();
      const attempts = await Promise.allSettled([mint(order), mint(order)]);
      const minted = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
      const alive = await Promise.all(minted.map(({ secret }) => subject.isAlive(secret)));
      if (isRecorded) expect(alive.filter(Boolean)).toHaveLength(1);
      for (const attempt of attempts) {
        if (attempt.status === 'rejected') expect(attempt.reason).toMatchObject({ code: 'provider_unavailable' });
      }
      const outcome = await revoke(order);
      expect(GONE).toContain(outcome.kind);
      for (const { secret } of minted) expect(await isAliveAfter(outcome, secret)).toBe(false);
    });

    it('the provider revokes: the credential is refused, and nothing is left', async () => {
      const order = orderFor();
      const { handle, secret } = await mint(order);
      await expectPresence(handle, true);
      const outcome = await revoke(order);
      expect(outcome.kind).toBe('revoked');
      expect(await isAliveAfter(outcome, secret)).toBe(false);
      await expectPresence(handle, false);
    });

    whenUsable('the provider uses a credential: it is accepted while it lives, and refused after its end', async () => {
      const order = orderFor();
      const { handle, secret } = await mint(order);
      const material = subject.provider.materialOf!(secret)!;
      const use = async (config = subject.config): Promise<string> => {
        const using = { config, handle, material, ...(order.related === undefined ? {} : { related: order.related }) };
        return (await subject.provider.use!(using, AbortSignal.timeout(20_000))).kind;
      };
      expect(await use()).toBe('accepted');
      // no fault of a connection is the answer of a target about the credential
      for (const config of subject.brokenConfigs ?? []) expect(await use(config)).not.toBe('refused');
      expect(await subject.isAlive(secret)).toBe(true);
      expect((await revoke(order)).kind).toBe('revoked');
      expect(await use()).toBe('refused');
      expect(await use()).toBe('refused');
      expect(subject.provider.materialOf!({})).toBeUndefined();
    });

    it('the provider revokes twice as well as once, also at the same time', async () => {
      const order = orderFor();
      const { secret } = await mint(order);
      for (const { kind } of await Promise.all([revoke(order), revoke(order)])) expect(GONE).toContain(kind);
      const last = await revoke(order);
      expect(GONE).toContain(last.kind);
      expect(await isAliveAfter(last, secret)).toBe(false);
    });

    it('the provider takes a handle that was never minted as gone', async () => {
      expect(noneLeft).toContain((await revoke(orderFor())).kind);
    });

    whenRefusing('the provider makes nothing where the target refuses, says so, and can revoke the lease', async () => {
      const order = orderFor({ scope: subject.refusedScope! });
      await expect(mint(order)).rejects.toMatchObject({ code: 'provider_rejected' });
      await expectPresence(subject.provider.plan(order), false);
      expect(noneLeft).toContain((await revoke(order)).kind);
    });

    it.each(['minTtlSeconds', 'maxTtlSeconds'] as const)('the provider mints for exactly its %s', async (bound) => {
      const issuedAt = subject.now();
      const order = orderFor({ issuedAt, expiresAt: addSeconds(issuedAt, subject.provider.traits[bound]) });
      const { providerExpiresAt } = await mint(order);
      expect(providerExpiresAt.getTime()).toBeLessThanOrEqual(order.expiresAt.getTime());
      await revoke(order);
    });

    it.each([
      ['shorter than it can', 'minTtlSeconds', -1],
      ['longer than it may', 'maxTtlSeconds', 1],
    ] as const)('the provider refuses to mint for %s', async (_, bound, seconds) => {
      const issuedAt = subject.now();
      const order = orderFor({ issuedAt, expiresAt: addSeconds(issuedAt, subject.provider.traits[bound] + seconds) });
      await expect(mint(order)).rejects.toMatchObject({ code: 'provider_rejected' });
      const planned = subject.provider.plan({ ...order, expiresAt: addSeconds(issuedAt, 600) });
      await expectPresence(planned, false);
    });

    whenRemote('the provider makes nothing after `mintBy`', async () => {
      const order = orderFor({ mintBy: addSeconds(subject.now(), -1) });
      await expect(mint(order)).rejects.toMatchObject({ code: 'provider_rejected' });
      await expectPresence(subject.provider.plan(order), false);
    });

    it('the provider does not begin when its signal has aborted already', async () => {
      const order = orderFor();
      await expect(mint(order, AbortSignal.abort())).rejects.toBeInstanceOf(Problem);
      await expectPresence(subject.provider.plan(order), false);
    });

    whenStalling(
      'the provider gives up with its signal when the target does not answer, and calls the outcome unknown',
      async () => {
        const order = orderFor();
        const stall = await subject.stall!(order, subject.provider.plan(order));
        const deadline = new AbortController();
        const minting = mint(order, deadline.signal);
        const givenUp = expect(minting).rejects.toMatchObject({ code: 'provider_unavailable' });
        await stall.reached();
        const abortedAt = performance.now();
        deadline.abort();
        await givenUp;
        expect(performance.now() - abortedAt).toBeLessThan(5_000);
        await stall.release();
        expect(GONE).toContain((await revoke(order)).kind);
      },
    );

    whenRenewable('the provider renews a living credential', async () => {
      const order = orderFor();
      const { handle, secret } = await mint(order);
      const later = { ...order, expiresAt: addSeconds(order.expiresAt, 60) };
      const renewed = await subject.provider.renew!(later, handle, AbortSignal.timeout(20_000));
      expect(renewed.handle).toEqual(handle);
      expect(renewed.providerExpiresAt.getTime()).toBeGreaterThan(order.expiresAt.getTime());
      expect(renewed.providerExpiresAt.getTime()).toBeLessThanOrEqual(later.expiresAt.getTime());
      expect(await subject.isAlive(renewed.secret ?? secret)).toBe(true);
      await revoke(order);
    });

    whenRemoteAndRenewable('the provider never renews a revoked credential back to life', async () => {
      const order = orderFor();
      const { handle, secret } = await mint(order);
      await revoke(order);
      const renewal = subject.provider.renew!(order, handle, AbortSignal.timeout(20_000));
      if (isRecorded) await expect(renewal).rejects.toMatchObject({ code: 'provider_rejected' });
      const renewed = await renewal.catch(() => undefined);
      for (const each of [secret, renewed?.secret ?? secret]) expect(await subject.isAlive(each)).toBe(false);
    });

    it('the provider calls a revocation that did not get through unknown, and does not throw', async () => {
      const order = orderFor();
      await mint(order);
      for (const config of subject.brokenConfigs ?? []) {
        expect(await revoke({ ...order, config })).toMatchObject({ kind: 'unknown' });
      }
      await revoke(order);
    });

    it('the provider shows no secret and no configuration value in problems, outcomes or output', async () => {
      const seen: unknown[] = [];
      const release = captureOutput(seen);
      const keep = async (call: Promise<unknown>): Promise<void> => {
        seen.push(await call.catch((error: unknown) => error));
      };
      const order = orderFor();
      const minted = await mint(order);
      await keep(mint(order).then(() => 'minted again'));
      if (subject.refusedScope !== undefined) await keep(mint(orderFor({ scope: subject.refusedScope })));
      await keep(mint(orderFor({ expiresAt: order.issuedAt })));
      await keep(revoke(order));
      for (const config of subject.brokenConfigs ?? []) {
        const broken = orderFor({ config });
        await keep(mint(broken));
        await keep(revoke({ ...order, config }));
      }
      release();
      const text = inspect(seen, { depth: 12, maxStringLength: Infinity, maxArrayLength: Infinity, showHidden: true });
      expect(seen.length).toBeGreaterThan(2);
      for (const canary of [...subject.secretTexts(minted.secret), ...(subject.canaries ?? [])]) {
        expect(canary).not.toBe('');
        expect(text).not.toContain(canary);
      }
    });
  });
}

/** Collects the output to console and terminal, until the returned function is called. */
function captureOutput(seen: unknown[]): () => void {
  const collect = (...written: unknown[]): boolean => {
    seen.push(written);
    return true;
  };
  const methods = ['debug', 'error', 'info', 'log', 'warn'] as const;
  const spies = [
    ...methods.map((method) => jest.spyOn(console, method).mockImplementation(collect)),
    ...[process.stdout, process.stderr].map((stream) => jest.spyOn(stream, 'write').mockImplementation(collect)),
  ];
  return () => {
    for (const spy of spies) spy.mockRestore();
  };
}
