import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import type { SigningKeyPurpose, SigningKeyStore, StoredSigningKey } from '@mayfly/trust';

const START = new Date('2030-01-01T00:00:00.123Z');

/** Makes a row of the right shape. No store reads the key in it. */
function row(kid: string, activeFrom: Date): StoredSigningKey {
  return {
    kid,
    algorithm: 'EdDSA',
    publicJwk: { kty: 'OKP', crv: 'Ed25519', x: randomBytes(32).toString('base64url'), kid, alg: 'EdDSA', use: 'sig' },
    sealedPrivateKey: randomBytes(96),
    createdAt: START,
    activeFrom,
  };
}

/** The stores of one database, by purpose. */
type Place = (purpose: SigningKeyPurpose) => SigningKeyStore;

/** Tests that every `SigningKeyStore` must pass. `makePlace` returns a database without keys. */
export function signingKeyStoreSuite(makePlace: () => Place | Promise<Place>): void {
  const make = async (): Promise<SigningKeyStore> => (await makePlace())('access');

  describe('a signing key store', () => {
    it('a signing key store starts empty', async () => {
      expect(await (await make()).list()).toEqual([]);
    });

    it('a signing key store returns each key exactly, to the byte and the millisecond', async () => {
      const store = await make();
      const key = row('first', addSeconds(START, 0.456));
      expect(await store.add(key, undefined)).toBe(true);
      const [found] = await store.list();
      expect(found).toEqual(key);
      expect(Buffer.isBuffer(found?.sealedPrivateKey)).toBe(true);
      expect(found?.activeFrom.getTime()).toBe(START.getTime() + 456);
    });

    it('a signing key store lists the keys by the instant from which they sign', async () => {
      const store = await make();
      // An order by kid would differ from this one.
      const kids = ['m', 'z', 'a', 'Q'];
      for (const [index, kid] of kids.entries()) {
        expect(await store.add(row(kid, addSeconds(START, index * 86_400)), kids[index - 1])).toBe(true);
      }
      expect((await store.list()).map((key) => key.kid)).toEqual(kids);
    });

    it.each([
      ['none', undefined],
      ['an older one', 'first'],
      ['an unknown one', 'nobody'],
    ])('a signing key store adds nothing when the newest key is another than expected: %s', async (_name, expected) => {
      const store = await make();
      await store.add(row('first', START), undefined);
      await store.add(row('second', addSeconds(START, 60)), 'first');
      expect(await store.add(row('third', addSeconds(START, 120)), expected)).toBe(false);
      expect((await store.list()).map((key) => key.kid)).toEqual(['first', 'second']);
    });

    it('a signing key store adds nothing to an empty store when a newest key is expected', async () => {
      const store = await make();
      expect(await store.add(row('first', START), 'nobody')).toBe(false);
      expect(await store.list()).toEqual([]);
    });

    it.each([undefined, 'first'])(
      'a signing key store lets one of many concurrent additions win (expecting `%s`)',
      async (expected) => {
        const store = await make();
        if (expected !== undefined) await store.add(row(expected, START), undefined);
        const rows = Array.from({ length: 16 }, (_, index) => row(`r${String(index)}`, addSeconds(START, 60 + index)));
        const added = await Promise.all(rows.map((key) => store.add(key, expected)));
        expect(added.filter(Boolean)).toHaveLength(1);
        expect((await store.list()).map((key) => key.kid)).toEqual(
          [expected, rows[added.indexOf(true)]?.kid].filter((kid) => kid !== undefined),
        );
      },
    );
  });

  describe('signing key stores of two purposes in one place', () => {
    it('signing key stores of two purposes in one place know their own purpose', async () => {
      const place = await makePlace();
      expect([place('access').purpose, place('federation').purpose]).toEqual(['access', 'federation']);
    });

    it('signing key stores of two purposes in one place do not see each other', async () => {
      const place = await makePlace();
      const [access, federation] = [place('access'), place('federation')];
      expect(await access.add(row('a', START), undefined)).toBe(true);
      expect(await federation.list()).toEqual([]);
      expect(await federation.add(row('f', addSeconds(START, 60)), undefined)).toBe(true);
      expect((await access.list()).map((key) => key.kid)).toEqual(['a']);
      expect((await federation.list()).map((key) => key.kid)).toEqual(['f']);
    });

    it('signing key stores of two purposes in one place expect the newest key of their own', async () => {
      const place = await makePlace();
      const [access, federation] = [place('access'), place('federation')];
      await access.add(row('a', START), undefined);
      await federation.add(row('f', addSeconds(START, 60)), undefined);
      expect(await access.add(row('b', addSeconds(START, 120)), 'f')).toBe(false);
      expect(await federation.add(row('g', addSeconds(START, 120)), 'a')).toBe(false);
      expect(await access.add(row('b', addSeconds(START, 120)), 'a')).toBe(true);
      expect(await federation.add(row('g', addSeconds(START, 90)), 'f')).toBe(true);
    });

    it('signing key stores of two purposes in one place never hold one key for both', async () => {
      const place = await makePlace();
      await place('access').add(row('a', START), undefined);
      await expect(place('federation').add(row('a', START), undefined)).rejects.toMatchObject({ code: 'unavailable' });
      expect(await place('federation').list()).toEqual([]);
    });

    it('signing key stores of two purposes in one place each let one of many concurrent additions win', async () => {
      const place = await makePlace();
      const added = (['access', 'federation'] as const).map((purpose) =>
        Promise.all(
          Array.from({ length: 8 }, (_, at) => place(purpose).add(row(`${purpose}${String(at)}`, START), undefined)),
        ),
      );
      for (const answers of await Promise.all(added)) expect(answers.filter(Boolean)).toHaveLength(1);
    });
  });
}
