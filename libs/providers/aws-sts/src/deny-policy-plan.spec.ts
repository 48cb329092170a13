import { describe, expect, it } from '@jest/globals';
import type { DenyPolicyClaim, DeniedSession } from '@mayfly/credentials';
import { addSeconds, newId } from '@mayfly/kernel';
import fc from 'fast-check';
import { countedCharacters, readDenyPolicy, renderDenyPolicy, saySame } from './deny-policy.js';
import { planDenyPolicy } from './deny-policy-plan.js';

const now = new Date('2030-01-01T00:00:00.700Z');
const sessionAt = (issued: number, expires = 600): DeniedSession => ({
  leaseId: newId('lse'),
  issuedBy: addSeconds(now, issued),
  expiresAt: addSeconds(now, expires),
});
const claimOf = (sessions: readonly DeniedSession[], more: Partial<DenyPolicyClaim> = {}): DenyPolicyClaim => ({
  revocationPoint: 'role',
  version: 1,
  revision: 3,
  sessions,
  ...more,
});

describe('planDenyPolicy', () => {
  it('planDenyPolicy gives no denial without a revoked session', () => {
    expect(planDenyPolicy(claimOf([]), now, 8192)).toEqual({});
  });

  it('planDenyPolicy names every session while the list fits', () => {
    const sessions = [sessionAt(-60), sessionAt(-5), sessionAt(20)];
    expect(planDenyPolicy(claimOf(sessions), now, 8192)).toEqual({
      denials: { names: sessions.map(({ leaseId }) => leaseId) },
    });
  });

  it('planDenyPolicy cuts old sessions off when the list does not fit, and lists the newer ones', () => {
    const old = Array.from({ length: 40 }, () => sessionAt(-60, 500));
    const young = sessionAt(-3);
    const lastExpiresAt = addSeconds(now, 3_000);
    const { denials, cutOff } = planDenyPolicy(claimOf([...old, young], { lastExpiresAt }), now, 1024);
    expect(cutOff).toEqual({ at: new Date('2030-01-01T00:00:00Z'), until: lastExpiresAt });
    expect(denials).toEqual({ names: [young.leaseId], cutOff: cutOff?.at });
  });

  it('planDenyPolicy moves the cut-off later when even the newer sessions do not fit', () => {
    const sessions = Array.from({ length: 40 }, (_none, index) => sessionAt(index));
    const { denials, cutOff } = planDenyPolicy(claimOf(sessions), now, 1024);
    expect(denials?.names).toEqual([]);
    expect(cutOff!.at.getTime()).toBeGreaterThan(addSeconds(now, 39 + 10).getTime());
  });

  it('planDenyPolicy keeps a cut-off that counts, and forgets one that does not', () => {
    const cutOff = { at: addSeconds(now, -30), until: addSeconds(now, 60) };
    const [covered, later] = [sessionAt(-60), sessionAt(-5)];
    expect(planDenyPolicy(claimOf([covered, later], { cutOff }), now, 8192)).toEqual({
      denials: { names: [later.leaseId], cutOff: cutOff.at },
    });
    const over = { ...cutOff, until: addSeconds(now, -1) };
    expect(planDenyPolicy(claimOf([], { cutOff: over }), now, 8192)).toEqual({});
  });

  it('planDenyPolicy denies every session by its name or by a cut-off well after it, within the budget, whatever there is', () => {
    const seconds = fc.integer({ min: -3_600, max: 120 });
    fc.assert(
      fc.property(
        fc.array(seconds, { minLength: 1, maxLength: 80 }),
        fc.integer({ min: 512, max: 4096 }),
        fc.boolean(),
        (issued, budget, isCrowded) => {
          const sessions = issued.map((at) => sessionAt(at));
          const { denials, cutOff } = planDenyPolicy(claimOf(sessions), now, budget, isCrowded);
          for (const { leaseId, issuedBy } of sessions) {
            const isCut = denials?.cutOff !== undefined && addSeconds(issuedBy, 10) < denials.cutOff;
            expect(isCut || denials?.names.includes(leaseId)).toBe(true);
          }
          expect(denials?.cutOff).toEqual(cutOff?.at);
          expect(countedCharacters(renderDenyPolicy(denials!, 4))).toBeLessThanOrEqual(budget);
        },
      ),
    );
  });
});

describe('the document of denials', () => {
  it('the document of denials reads back as it was written, also URL-encoded', () => {
    const names = fc.array(
      fc.constant(0).map(() => newId('lse')),
      { maxLength: 20 },
    );
    const cutOff = fc.option(fc.constant(new Date('2030-01-01T00:00:05Z')), { nil: undefined });
    fc.assert(
      fc.property(names, cutOff, fc.nat(), (list, cut, revision) => {
        const denials = { names: list, ...(cut === undefined ? {} : { cutOff: cut }) };
        const text = renderDenyPolicy(denials, revision);
        expect(readDenyPolicy(text)).toEqual({ ...denials, revision });
        expect(readDenyPolicy(encodeURIComponent(text))).toEqual({ ...denials, revision });
        expect(saySame(readDenyPolicy(text)!, denials)).toBe(true);
      }),
    );
  });

  const text = renderDenyPolicy({ names: ['lse_a', 'lse_b'], cutOff: new Date('2030-01-01T00:00:05Z') }, 7);
  it.each<[string, string]>([
    ['a name less', text.replace(',"*:lse_b"', '')],
    ['another name', text.replace('lse_b', 'lse_c')],
    ['another cut-off', text.replace('00:05Z', '00:04Z')],
    ['no cut-off', text.replace(/,\{"Sid":"MayflyCutOff".*\}\]/, ']')],
    ['another effect', text.replace('"Deny"', '"Allow"')],
    ['another key', text.replace('aws:userid', 'aws:UserId')],
    ['a statement more', text.replace(/\]\}$/, ',{"Effect":"Allow","Action":"*","Resource":"*"}]}')],
    ['no JSON', 'x'],
    ['a broken encoding', '%7'],
    ['nothing', '{}'],
  ])('the document of denials is not ours with %s', (_, edited) => {
    expect(readDenyPolicy(edited)).toBeUndefined();
  });

  it('the document of denials is counted as IAM counts: without white space', () => {
    expect(countedCharacters(' { "a" :\n\t1 } ')).toBe(7);
  });
});
