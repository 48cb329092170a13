import { beforeEach, describe, expect, it } from '@jest/globals';
import type { VerifiedIdentity } from '@mayfly/identity';
import { addSeconds, type Problem } from '@mayfly/kernel';
import { FakeTaskStores, requesterAt } from '@mayfly/testing';
import type { Requester } from './request.js';
import { SingleUse } from './single-use.js';

describe('SingleUse', () => {
  const stores = new FakeTaskStores();
  let refused: { readonly problem: Problem; readonly route: string; readonly requestId: string }[];
  let singleUse: SingleUse;
  let jti: string;

  beforeEach(() => {
    refused = [];
    jti = `token ${String(Math.random())}`;
    singleUse = new SingleUse(stores.identityUses, {
      identity: async (problem, call) => void refused.push({ problem, ...call }),
    });
  });

  const requester = (issuerUrl = 'https://ci.example'): Requester => {
    const now = stores.scene.clock.now();
    const identity = { issuerUrl, jti, expiresAt: addSeconds(now, 60) } as VerifiedIdentity;
    return requesterAt(now, { singleUse: identity, requestId: 'req-1' });
  };

  it('SingleUse lets a token open one task, and audits the second try under its request', async () => {
    await singleUse.consume(requester());
    await expect(singleUse.consume(requester())).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(refused).toMatchObject([{ problem: { code: 'unauthenticated' }, route: 'POST /tasks', requestId: 'req-1' }]);
  });

  it('SingleUse takes tokens of two issuers with one id for two tokens', async () => {
    await singleUse.consume(requester());
    await singleUse.consume(requester('https://other.example'));
    await singleUse.giveBack(requester('https://other.example'));
    await expect(singleUse.consume(requester())).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('SingleUse lets a token that was given back open a task', async () => {
    await singleUse.consume(requester());
    await singleUse.giveBack(requester());
    await singleUse.consume(requester());
    expect(refused).toEqual([]);
  });

  it('SingleUse lets a token of any other issuer open many tasks', async () => {
    const other = requesterAt(stores.scene.clock.now());
    for (const one of [other, other]) await singleUse.consume(one);
    await singleUse.giveBack(other);
    expect(refused).toEqual([]);
  });

  it('SingleUse opens nothing while the uses cannot be read', async () => {
    stores.scene.down = true;
    await expect(singleUse.consume(requester())).rejects.toMatchObject({ code: 'unavailable' });
    stores.scene.down = false;
  });
});
