import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { addSeconds, type Clock } from '@mayfly/kernel';
import { FakeSigningKeyStore } from '@mayfly/testing';
import { KEY_RING_DEFAULTS, KeyRing, type KeyRingOptions } from './key-ring.js';
import { Sealer } from './sealer.js';

const START = new Date('2030-01-01T00:00:00Z');
const DAY = 86_400;
const LEAD = KEY_RING_DEFAULTS.cacheSeconds + KEY_RING_DEFAULTS.reloadSeconds;

/** Some replicas on one store and one clock that a test moves. */
class World {
  now = START;
  readonly clock: Clock = { now: () => this.now };
  readonly store = new FakeSigningKeyStore();
  readonly sealer = new Sealer({ current: randomBytes(32).toString('hex') });

  ring(options: Partial<KeyRingOptions> = {}, sealer = this.sealer): KeyRing {
    return new KeyRing(this.store, sealer, this.clock, options);
  }

  after(seconds: number): void {
    this.now = addSeconds(START, seconds);
  }
}

describe('a key ring', () => {
  it.each([
    ['EdDSA' as const, { kty: 'OKP', crv: 'Ed25519' }],
    ['ES256' as const, { kty: 'EC', crv: 'P-256' }],
  ])('a key ring publishes an %s key without its private part', async (algorithm, members) => {
    const ring = new World().ring({ algorithm });
    expect(await ring.rotateIfDue()).toBe(true);
    const [jwk] = ring.jwks().keys;
    expect(jwk).toMatchObject({ ...members, alg: algorithm, use: 'sig', kid: ring.signer().kid });
    expect(jwk).not.toHaveProperty('d');
  });

  it('a key ring signs with the first key at once', async () => {
    const world = new World();
    const ring = world.ring();
    await ring.rotateIfDue();
    expect(ring.signer().activeFrom).toEqual(START);
  });

  it('a key ring publishes the next key for the time that it may be unknown, then signs with it', async () => {
    const world = new World();
    const ring = world.ring();
    await ring.rotateIfDue();
    const first = ring.signer().kid;

    world.after(30 * DAY - LEAD - 1);
    expect(await ring.rotateIfDue()).toBe(false);
    world.after(30 * DAY - LEAD);
    expect(await ring.rotateIfDue()).toBe(true);
    expect(await ring.rotateIfDue()).toBe(false);
    expect(ring.jwks().keys).toHaveLength(2);
    expect(ring.signer().kid).toBe(first);

    world.after(30 * DAY - 1);
    await ring.load();
    expect(ring.signer().kid).toBe(first);
    world.after(30 * DAY);
    expect(ring.signer().kid).not.toBe(first);
  });

  it('a key ring withdraws a key when the last token under it is dead to the slowest clock', async () => {
    const world = new World();
    const ring = world.ring({ longestTokenSeconds: 900, skewSeconds: 30 });
    await ring.rotateIfDue();
    const first = ring.signer().kid;
    world.after(30 * DAY - LEAD);
    await ring.rotateIfDue();

    world.after(30 * DAY + 929);
    expect(ring.find(first)?.kid).toBe(first);
    world.after(30 * DAY + 930);
    expect(ring.find(first)).toBeUndefined();
    expect(ring.jwks().keys).toHaveLength(1);
    await ring.load();
    expect(ring.jwks().keys).toHaveLength(1);
    expect(await world.store.list()).toHaveLength(2);
  });

  it('a key ring gets one key when many replicas start or rotate together', async () => {
    const world = new World();
    const rings = Array.from({ length: 8 }, () => world.ring());
    for (const [seconds, kids] of [
      [0, 1],
      [30 * DAY - LEAD, 2],
    ] as const) {
      world.after(seconds);
      const added = await Promise.all(rings.map((ring) => ring.rotateIfDue()));
      expect(added.filter(Boolean)).toHaveLength(1);
      for (const ring of rings) expect(ring.jwks()).toEqual(rings[0]?.jwks());
      expect(rings[0]?.jwks().keys).toHaveLength(kids);
    }
  });

  it('a key ring keeps signing after a long rest while the overdue key is being published', async () => {
    const world = new World();
    const ring = world.ring();
    await ring.rotateIfDue();
    const first = ring.signer().kid;
    world.after(400 * DAY);
    expect(await ring.rotateIfDue()).toBe(true);
    expect(ring.signer().kid).toBe(first);
    world.after(400 * DAY + LEAD);
    await ring.load();
    expect(ring.signer().kid).not.toBe(first);
  });

  it('a key ring does not sign before it has a key, nor when another replica may have rotated unseen', async () => {
    const world = new World();
    const ring = world.ring();
    expect(() => ring.signer()).toThrow('no signing key is ready; try again later');
    await ring.load();
    expect(() => ring.signer()).toThrow('no signing key is ready; try again later');
    expect(() => ring.jwks()).toThrow('no signing key is ready; try again later');
    await ring.rotateIfDue();

    world.store.down = true;
    world.after(LEAD - 1);
    await expect(ring.load()).rejects.toMatchObject({ code: 'unavailable' });
    expect(ring.signer().activeFrom).toEqual(START);
    world.after(LEAD);
    expect(() => ring.signer()).toThrow('no signing key is ready; try again later');
    expect(ring.jwks().keys).toHaveLength(1);
  });

  it('a key ring refuses to rotate faster than it can publish', () => {
    const world = new World();
    expect(() => world.ring({ rotateAfterSeconds: LEAD })).toThrow('rotate less often');
    expect(() => world.ring({ rotateAfterSeconds: LEAD + 1 })).not.toThrow();
  });
});

describe('a stored signing key', () => {
  const stored = async (world: World) => {
    await world.ring().rotateIfDue();
    const [row] = await world.store.list();
    if (row === undefined) throw new Error('no key was stored');
    return row;
  };

  it('a stored signing key does not open without the sealing key, and opens with it among the previous ones', async () => {
    const world = new World();
    await stored(world);
    const next = randomBytes(32).toString('hex');
    await expect(world.ring({}, new Sealer({ current: next })).load()).rejects.toMatchObject({ code: 'internal' });

    const old = randomBytes(32).toString('hex');
    const other = new World();
    await other.ring({}, new Sealer({ current: old })).rotateIfDue();
    const ring = other.ring({}, new Sealer({ current: next, previous: [old] }));
    await ring.load();
    expect(ring.signer().activeFrom).toEqual(START);
  });

  it('a stored signing key needs its sealing key only as long as it is published', async () => {
    const world = new World();
    const old = randomBytes(32).toString('hex');
    const next = randomBytes(32).toString('hex');
    await world.ring({}, new Sealer({ current: old })).rotateIfDue();
    world.after(30 * DAY - LEAD);
    await world.ring({}, new Sealer({ current: next, previous: [old] })).rotateIfDue();

    const ring = world.ring({}, new Sealer({ current: next }));
    world.after(30 * DAY + 3_659);
    await expect(ring.load()).rejects.toMatchObject({ code: 'internal' });
    world.after(30 * DAY + 3_660);
    await ring.load();
    expect(ring.signer().activeFrom).toEqual(addSeconds(START, 30 * DAY));
  });

  it('a stored signing key that was planted by someone without the sealing key is not published', async () => {
    const world = new World();
    const attacker = new World();
    world.store.plant(await stored(attacker));
    const ring = world.ring();
    await expect(ring.load()).rejects.toMatchObject({ code: 'internal' });
    expect(() => ring.jwks()).toThrow('no signing key is ready; try again later');
  });

  it.each([
    ['its kid', { kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' }],
    ['its algorithm', { algorithm: 'ES256' as const }],
    ['its algorithm to that of a federation key', { algorithm: 'RS256' as const }],
    ['its algorithm to one that there is not', { algorithm: 'HS256' as never }],
    ['the instant from which it signs', { activeFrom: addSeconds(START, -1) }],
  ])('a stored signing key is refused when someone edited %s', async (_name, edit) => {
    const world = new World();
    world.store.plant({ ...(await stored(world)), ...edit });
    await expect(world.ring().load()).rejects.toMatchObject({ code: 'internal' });
  });

  it('a stored signing key is published from its private half, whatever its public column says', async () => {
    const world = new World();
    const row = await stored(world);
    const foreign = await stored(new World());
    world.store.plant({ ...row, publicJwk: foreign.publicJwk });
    const ring = world.ring();
    await ring.load();
    expect(ring.jwks().keys).toEqual([row.publicJwk]);
  });

  it('a stored signing key shows its private key nowhere: row, ring, JWKS, problem', async () => {
    const world = new World();
    const row = await stored(world);
    const ring = world.ring();
    await ring.load();
    const { d = '' } = ring.signer().privateKey.export({ format: 'jwk' });
    const canary = Buffer.from(d, 'base64url');
    expect(canary).toHaveLength(32);

    const problem: unknown = await world
      .ring({}, new Sealer({ current: randomBytes(32).toString('hex') }))
      .load()
      .catch((error: unknown) => error);
    const things = [row, ring, ring.jwks(), ring.signer(), problem];
    const shown = things.map(
      (thing) => `${JSON.stringify(thing)} ${inspect(thing, { depth: 9, maxArrayLength: null })}`,
    );
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(shown.join()).not.toContain(canary.toString(encoding).slice(0, 40));
    }
    expect(shown.join()).not.toContain(canary.toJSON().data.join(','));
    expect(row.sealedPrivateKey.includes(canary)).toBe(false);
  });
});
