import { beforeEach, describe, expect, it } from '@jest/globals';
import type { RevocationOutcome } from '@mayfly/credentials';
import { TargetOutages } from './target-outages.js';

const UNREACHED: RevocationOutcome = { kind: 'unknown', detail: 'nothing listens there', unreached: true };
const STUCK: RevocationOutcome = { kind: 'unknown', detail: 'its sessions do not end' };
const REVOKED: RevocationOutcome = { kind: 'revoked' };

let now: number;
let calls: string[];
let outages: TargetOutages;
beforeEach(() => {
  [now, calls] = [0, []];
  outages = new TargetOutages(() => now);
});

const ask = (lease: string, outcome: RevocationOutcome | Promise<RevocationOutcome>, target = 'crm') =>
  outages.ask(target, () => {
    calls.push(lease);
    return Promise.resolve(outcome);
  });

describe('TargetOutages.ask', () => {
  it('TargetOutages.ask calls a target that is not reached once a second, and gives the others its outcome', async () => {
    expect(await ask('a', UNREACHED)).toEqual(UNREACHED);
    expect(await ask('b', REVOKED)).toEqual(UNREACHED);
    now = 999;
    expect(await ask('c', REVOKED)).toEqual(UNREACHED);
    now = 1_000;
    expect(await Promise.all([ask('d', UNREACHED), ask('e', REVOKED), ask('f', REVOKED)])).toEqual([
      ...[UNREACHED, UNREACHED, UNREACHED],
    ]);
    expect(calls).toEqual(['a', 'd']);
  });

  it('TargetOutages.ask calls for every lease again once a call has reached the target', async () => {
    await ask('a', UNREACHED);
    now = 1_000;
    expect(await Promise.all([ask('b', STUCK), ask('c', REVOKED), ask('d', REVOKED)])).toEqual([
      ...[STUCK, REVOKED, REVOKED],
    ]);
    expect(await ask('e', REVOKED)).toEqual(REVOKED);
    expect(calls).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('TargetOutages.ask does not take a lease that cannot be ended for an outage', async () => {
    await ask('a', STUCK);
    expect(await ask('b', REVOKED)).toEqual(REVOKED);
  });

  it('TargetOutages.ask delays no lease of another target', async () => {
    await ask('a', UNREACHED);
    expect(await ask('b', REVOKED, 'crm at another address')).toEqual(REVOKED);
  });

  it('TargetOutages.ask tries again a second after a call that failed unexpectedly', async () => {
    await ask('a', UNREACHED);
    now = 1_000;
    await expect(ask('b', Promise.reject(new Error('no answer within 10 s')))).rejects.toThrow('no answer');
    expect(await ask('c', REVOKED)).toEqual(UNREACHED);
    now = 2_000;
    expect(await ask('d', REVOKED)).toEqual(REVOKED);
    expect(calls).toEqual(['a', 'b', 'd']);
  });
});
