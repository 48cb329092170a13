import { beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { AnyProvider } from '@mayfly/credentials';
import type { Json } from '@mayfly/kernel';
import { finding } from '@mayfly/templates';
import { FakeDeclarationStore, TestClock } from '@mayfly/testing';
import { z } from 'zod';
import type { Precondition } from '../records/precondition.js';
import { Templates } from './templates.js';

const ANY: Precondition = { must: 'match', revisions: 'any' };
const [ANN, BEN] = ['ann', 'ben'].map((name) => ({ name, actor: MAYFLY })) as [Author, Author];

interface Author {
  readonly name: string;
  readonly actor: typeof MAYFLY;
}

/** A provider with schemas and traits only; it cannot mint. */
const token = {
  kind: 'token',
  secretMembers: [],
  schemas: { config: z.strictObject({}), scope: z.looseObject({ audience: z.string() }), handle: z.never() },
  traits: { remote: false, revocation: 'propagating', minTtlSeconds: 1, maxTtlSeconds: 900 },
} as unknown as AnyProvider;

function document(audience = 'cases', provider = 'token'): Json {
  return {
    kind: 'TaskTemplate',
    metadata: { name: 'read' },
    spec: {
      ...{ description: 'Read cases.', owner: 'support', backupOwner: 'crm' },
      review: { by: 'security', everyDays: 90 },
      requesters: { agents: { duty: 'support' }, runtimes: ['laptop'] },
      parameters: { type: 'object', properties: {}, additionalProperties: false },
      lifetime: { defaultSeconds: 60, maxSeconds: 60 },
      quota: { tasksPerMinute: 1, concurrentTasks: 1 },
      credentials: [{ name: 'api', provider, scope: { audience } }],
    },
  };
}

let store: FakeDeclarationStore;
let templates: Templates;
let refreshed: number;
beforeEach(() => {
  store = new FakeDeclarationStore();
  refreshed = 0;
  templates = templatesWith({ fourEyes: true });
});

function templatesWith({ fourEyes }: { readonly fourEyes: boolean }): Templates {
  return new Templates({
    ...{ store, fourEyes, providers: [token], clock: new TestClock() },
    catalog: { connections: [], refresh: () => Promise.resolve(void (refreshed += 1)) },
    examination: { about: () => Promise.resolve([finding('MF310', '/credentials', 'the target was asked')]) },
    report: (error) => {
      throw error;
    },
  });
}

const save = (by: Author, body = document()) => templates.replaceDraft('read', body, ANY, by);
const publish = (by: Author) => templates.publish('read', ANY, by);
const entries = () => store.entries.map(({ type }) => type);
const editors = async () => (await templates.draft('read')).draft.editors;

describe('a draft', () => {
  it('a draft is created once', async () => {
    expect(await templates.create(document(), ANN)).toMatchObject({ template: { state: 'draft', revision: 1 } });
    await expect(templates.create(document(), BEN)).rejects.toMatchObject({ code: 'conflict' });
    expect(entries()).toEqual(['template.drafted']);
  });

  it('a draft is not replaced by a document of another name', async () => {
    const refusal = {
      code: 'invalid_declaration',
      detail: '`metadata.name` differs from the name in the address; use `write`',
    };
    await expect(async () => templates.replaceDraft('write', document(), ANY, ANN)).rejects.toMatchObject(refusal);
  });

  it('a draft is not replaced at another revision', async () => {
    await templates.create(document(), ANN);
    const stale = templates.replaceDraft('read', document('mail'), { must: 'match', revisions: [2] }, BEN);
    await expect(stale).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(await editors()).toEqual(['ann']);
  });

  it('a draft names everyone who changed it, and nobody who only saved it again', async () => {
    await templates.create(document(), ANN);
    await save(BEN);
    expect(await editors()).toEqual(['ann']);
    await save(BEN, document('mail'));
    expect(await editors()).toEqual(['ann', 'ben']);
  });

  it('a draft forgets its editors when it is the version in force again', async () => {
    await templates.create(document(), ANN);
    await publish(BEN);
    await save(ANN, document('mail'));
    await save(BEN);
    expect(await editors()).toEqual(['ben']);
  });
});

describe('a publication', () => {
  it.each([
    ['its author', BEN],
    ['an earlier editor', ANN],
  ])('a publication is refused to %s', async (_, by) => {
    await templates.create(document(), ANN);
    await save(BEN, document('mail'));
    await expect(publish(by)).rejects.toMatchObject({ code: 'policy_denied', extensions: { control: 'four-eyes' } });
    expect(await templates.find('read')).not.toHaveProperty('inForce');
    expect(refreshed).toBe(0);
  });

  it('a publication is open to the author where one person develops', async () => {
    templates = templatesWith({ fourEyes: false });
    await templates.create(document(), ANN);
    expect(await publish(ANN)).toMatchObject({ inForce: { version: 1, author: 'ann', publisher: 'ann' } });
  });

  it('a publication puts the draft in force, with the warnings of the targets', async () => {
    await templates.create(document(), ANN);
    const { template, inForce, warnings } = await publish(BEN);
    expect(template).toMatchObject({ state: 'published', revision: 2, currentVersion: 1 });
    expect(template).not.toHaveProperty('draft');
    expect(inForce).toMatchObject({ version: 1, author: 'ann', publisher: 'ben' });
    expect(warnings).toContainEqual(expect.objectContaining({ rule: 'MF310' }));
    expect([entries(), refreshed]).toEqual([['template.drafted', 'template.published'], 1]);
  });

  it('a publication of a draft that breaks a rule is refused, and the refusal audited after the rollback', async () => {
    await templates.create(document('cases', 'gone'), ANN);
    await expect(publish(BEN)).rejects.toMatchObject({ code: 'invalid_template' });
    expect(entries()).toEqual(['template.drafted', 'template.refused']);
    expect(await editors()).toEqual(['ann']);
  });

  it('a publication needs a draft', async () => {
    await expect(publish(BEN)).rejects.toMatchObject({ code: 'not_found' });
    await templates.create(document(), ANN);
    await publish(BEN);
    const refusal = { code: 'conflict', detail: 'template `read` has no draft to publish; write one with PUT' };
    await expect(publish(BEN)).rejects.toMatchObject(refusal);
  });
});

describe('a retired template', () => {
  it('a retired template has no version in force, and takes no draft and no publication', async () => {
    await templates.create(document(), ANN);
    await publish(BEN);
    await save(ANN, document('mail'));
    expect(await templates.retire('read', ANN)).not.toHaveProperty('inForce');
    const refusal = { code: 'conflict', detail: 'template `read` is retired permanently; use a new name' };
    await expect(save(ANN)).rejects.toMatchObject(refusal);
    await expect(publish(BEN)).rejects.toMatchObject(refusal);
  });

  it('a retired template stays as it is when it is retired again', async () => {
    await templates.create(document(), ANN);
    const { template } = await templates.retire('read', ANN);
    expect((await templates.retire('read', BEN)).template).toEqual(template);
    expect(entries()).toEqual(['template.drafted', 'template.retired']);
  });
});
