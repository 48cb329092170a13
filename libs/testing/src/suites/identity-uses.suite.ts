import { beforeEach, describe, expect, it } from '@jest/globals';
import type { IdentityUses } from '@mayfly/identity';
import type { RequestStores } from '../task-stores.js';
import { addSeconds } from '@mayfly/kernel';

/** Tests that every `IdentityUses` must pass. `make` returns stores without rows. */
export function identityUsesSuite(make: () => RequestStores | Promise<RequestStores>): void {
  describe('a store of used tokens', () => {
    let uses: IdentityUses;
    let expiresAt: Date;

    beforeEach(async () => {
      const { identityUses, scene } = await make();
      uses = identityUses;
      expiresAt = addSeconds(scene.clock.now(), 60);
    });

    const consume = (issuer: string, jti = 'one') => uses.consume(issuer, jti, expiresAt);

    it('a store of used tokens permits exactly one of many uses', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => consume('ci')));
      expect(answers.filter(Boolean)).toHaveLength(1);
    });

    it('a store of used tokens knows a token by its issuer and its id', async () => {
      expect([await consume('ci'), await consume('ci', 'two'), await consume('cluster')]).toEqual([true, true, true]);
      expect([await consume('ci'), await consume('ci', 'two'), await consume('cluster')]).toEqual([
        false,
        false,
        false,
      ]);
    });

    it('a store of used tokens gives back one token, and none of another issuer', async () => {
      await consume('ci');
      await consume('cluster');
      await uses.giveBack('ci', 'one');
      expect(await consume('ci')).toBe(true);
      expect(await consume('cluster')).toBe(false);
    });

    it('a store of used tokens says whether a token was used, and does not mark it', async () => {
      expect(await uses.isUsed('ci', 'one')).toBe(false);
      expect(await consume('ci')).toBe(true);
      expect([await uses.isUsed('ci', 'one'), await uses.isUsed('cluster', 'one')]).toEqual([true, false]);
    });
  });
}
