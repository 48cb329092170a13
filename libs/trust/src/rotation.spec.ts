import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { FakeSigningKeyStore } from '@mayfly/testing';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { KeyRing } from './key-ring.js';
import { Sealer } from './sealer.js';
import { TokenSigner } from './token-signer.js';

const START = new Date('2030-01-01T00:00:00Z');
const STEP_SECONDS = 30;
const STEPS = 900;
const REPLICAS = 3;
const LIFE_SECONDS = 3_600;
const CACHE_SECONDS = 600;

interface Moment {
  readonly at: Date;
  /** what each replica serves and signs at this moment */
  readonly replicas: readonly { readonly jwks: JSONWebKeySet; readonly kid: string; readonly token: string }[];
}

/** Seven and a half hours of three replicas that rotate every two; each reloads once a minute, at its own second. */
async function play(): Promise<readonly Moment[]> {
  let at = START;
  const clock = { now: () => at };
  const store = new FakeSigningKeyStore();
  const sealer = new Sealer({ current: randomBytes(32).toString('hex') });
  const rings = Array.from(
    { length: REPLICAS },
    () => new KeyRing(store, sealer, clock, { rotateAfterSeconds: 7_200, cacheSeconds: CACHE_SECONDS }),
  );
  for (const ring of rings) await ring.rotateIfDue();

  const moments: Moment[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    at = addSeconds(START, step * STEP_SECONDS);
    // Two replicas reload at even steps and one at odd ones, so that there is always one that knows less.
    for (const [index, ring] of rings.entries()) if ((step + (index >> 1)) % 2 === 0) await ring.rotateIfDue();
    const replicas = rings.map(async (ring) => ({
      jwks: { keys: ring.jwks().keys.map((key) => ({ ...key })) },
      kid: ring.signer().kid,
      token: await new TokenSigner(ring, clock).sign('at+jwt', { exp: at.getTime() / 1000 + LIFE_SECONDS }),
    }));
    moments.push({ at, replicas: await Promise.all(replicas) });
  }
  return moments;
}

describe('rotation over several keys and replicas', () => {
  const story = play();

  it('rotation over several keys and replicas really rotates, and never has replicas sign with different keys', async () => {
    const kids = (await story).map(({ replicas }) => new Set(replicas.map(({ kid }) => kid)));
    expect(kids.every((set) => set.size === 1)).toBe(true);
    expect(new Set(kids.flatMap((set) => [...set])).size).toBe(4);
  });

  it('rotation over several keys and replicas leaves no gap: every JWKS that anyone can hold while a token lives has its key', async () => {
    const moments = await story;
    const gaps: string[] = [];
    for (const [signed, { replicas }] of moments.entries()) {
      const kids = replicas.map(({ kid }) => kid);
      const from = Math.max(0, signed - CACHE_SECONDS / STEP_SECONDS);
      for (const { at, replicas: servers } of moments.slice(from, signed + LIFE_SECONDS / STEP_SECONDS + 1)) {
        const served = servers.every(({ jwks }) => kids.every((kid) => jwks.keys.some((key) => key.kid === kid)));
        if (!served) gaps.push(`signed at ${String(signed)}, fetched ${at.toISOString()}`);
      }
    }
    expect(gaps).toEqual([]);
  });

  it('rotation over several keys and replicas gives tokens that another implementation verifies with the JWKS of ten minutes before and of an hour after', async () => {
    const moments = await story;
    for (let signed = 20; signed < STEPS - 120; signed += 15) {
      const token = moments[signed]?.replicas[0]?.token ?? '';
      for (const fetched of [signed - 20, signed, signed + 119]) {
        const { jwks } = moments[fetched]?.replicas[2] ?? { jwks: { keys: [] } };
        const currentDate = moments[Math.max(signed, fetched)]?.at ?? START;
        const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), { currentDate, typ: 'at+jwt' });
        expect(protectedHeader.alg).toBe('EdDSA');
      }
    }
  });
});
