import { describe, expect, it } from '@jest/globals';
import { canonicalJson, newId, type Json } from '@mayfly/kernel';
import { auditEntry, MAYFLY } from './entry.js';

const AT = new Date('2030-01-01T00:00:00.250Z');

describe('auditEntry', () => {
  const subject = { taskId: newId('tsk'), leaseId: newId('lse'), agent: 'support-agent' };
  const actor = { kind: 'person', issuer: 'staff', subject: 'olga' } as const;

  it('auditEntry commits to its facts, its subject and who did it, as canonical JSON', () => {
    const facts = { provider: 'dummy', cause: 'completed', effectiveAt: AT.toISOString() };
    const entry = auditEntry('lease.revoked', AT, actor, subject, facts);
    const body = JSON.parse(entry.body) as Json;
    expect(body).toEqual({
      id: entry.id,
      at: '2030-01-01T00:00:00.250Z',
      type: 'lease.revoked',
      factsVersion: 1,
      actor,
      ...subject,
      ...facts,
    });
    expect(entry.body).toBe(canonicalJson(body));
    expect(entry).toMatchObject({ at: AT, type: 'lease.revoked', ...subject });
  });

  it('auditEntry does not let a fact pass for its type, its instant or its subject', () => {
    const facts = {
      ...{ id: 'aud_forged', type: 'task.granted', at: 'never', actor: 'root', taskId: 'tsk_forged' },
      factsVersion: 9,
    };
    const entry = auditEntry('task.denied', AT, MAYFLY, { taskId: subject.taskId }, facts as never);
    expect(JSON.parse(entry.body)).toEqual({
      id: entry.id,
      type: 'task.denied',
      factsVersion: 2,
      at: AT.toISOString(),
      actor: MAYFLY,
      taskId: subject.taskId,
    });
  });

  it('auditEntry has an id of its own', () => {
    const entries = [1, 2].map(() => auditEntry('template.retired', AT, MAYFLY, {}, { name: 'crm' }));
    expect(entries[0]?.id).not.toBe(entries[1]?.id);
  });
});
