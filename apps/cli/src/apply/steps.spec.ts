import { describe, expect, it } from '@jest/globals';
import type { Declaration } from '@mayfly/declarations';
import type { Found } from './declarations.client.js';
import { isEffective, stepsOf } from './steps.js';
import { stepWords } from './step-words.js';

/** A declaration with only the members that the steps read. */
function declared(kind: Declaration['kind'], name: string, spec: object, labels?: Record<string, string>) {
  const metadata = labels === undefined ? { name } : { name, labels };
  return { file: 'x.yaml', declared: { kind, metadata, spec } as unknown as Declaration };
}

const template = (maxSeconds: number) => declared('TaskTemplate', 'read', { lifetime: { maxSeconds } });
const content = (maxSeconds: number) => ({ labels: {}, spec: { lifetime: { maxSeconds } } });
const there = (found: Partial<Found>): Map<string, Found> =>
  new Map([['TaskTemplate/read', { etag: '"4"', content: found.draft ?? found.inForce, ...found }]]);
const draft = (maxSeconds: number) => ({ ...content(maxSeconds), author: 'staff:author' });

describe('the steps that files come to', () => {
  it('the steps of mayfly apply follow the references between documents, in any order of the files', () => {
    const documents = [
      template(1),
      declared('Agent', 'a', {}),
      declared('Connection', 'c', {}),
      declared('Issuer', 'i', {}),
    ];
    const steps = stepsOf(documents, new Map(), false);
    expect(steps.map((step) => `${step.change} ${step.declared.kind}`)).toEqual([
      'create Issuer',
      'create Connection',
      'create Agent',
      'create TaskTemplate',
    ]);
  });

  it('the steps of mayfly apply replace changed documents only, and take absent labels for empty ones', () => {
    const found = new Map<string, Found>([
      ['Agent/same', { etag: '"1"', content: { labels: {}, spec: { owner: 'a' } } }],
      ['Agent/other', { etag: '"2"', content: { labels: { tier: 'gold' }, spec: { owner: 'a' } } }],
    ]);
    const documents = [
      declared('Agent', 'same', { owner: 'a' }, {}),
      declared('Agent', 'other', { owner: 'b' }, { tier: 'gold' }),
    ];
    const [same, other] = stepsOf(documents, found, true);
    expect(same).toMatchObject({ change: 'unchanged', etag: '"1"' });
    expect(other).toMatchObject({
      change: 'update',
      etag: '"2"',
      differences: [{ pointer: '/spec/owner', before: 'a', after: 'b' }],
    });
    expect([same, other].map((step) => step !== undefined && isEffective(step))).toEqual([false, true]);
  });

  it.each<[string, Map<string, Found>, string, unknown]>([
    ['nothing', new Map(), 'create', { differences: [] }],
    ['the same in force', there({ inForce: content(1) }), 'unchanged', undefined],
    [
      'something else in force',
      there({ inForce: content(2) }),
      'update',
      { differences: [{ pointer: '/spec/lifetime/maxSeconds', before: 2, after: 1 }] },
    ],
    ['a first draft of the same', there({ draft: draft(1) }), 'unchanged', { differences: [], author: 'staff:author' }],
    [
      'a draft of the same, over something else in force',
      there({ draft: draft(1), inForce: content(2) }),
      'unchanged',
      { differences: [{ pointer: '/spec/lifetime/maxSeconds', before: 2, after: 1 }], author: 'staff:author' },
    ],
    [
      'a draft of something else, over the same in force',
      there({ draft: draft(2), inForce: content(1) }),
      'update',
      { differences: [] },
    ],
  ])('the step of a template with %s there is planned', (_what, found, change, publication) => {
    expect(stepsOf([template(1)], found, true)[0]).toMatchObject({ change, ...(publication ? { publication } : {}) });
    if (publication === undefined) expect(stepsOf([template(1)], found, true)[0]?.publication).toBeUndefined();
    expect(stepsOf([template(1)], found, false)[0]).toMatchObject({ change });
    expect(stepsOf([template(1)], found, false)[0]?.publication).toBeUndefined();
  });
});

describe('the words of a step', () => {
  it('the words of a step say what changes, and who wrote the draft that is to be published', () => {
    const steps = stepsOf([template(1)], there({ draft: draft(1), inForce: content(2) }), true);
    expect(stepWords(steps)).toBe(
      [
        'unchanged  TaskTemplate/read  (x.yaml)',
        'publish    TaskTemplate/read  (the draft of staff:author)',
        '           ~ /spec/lifetime/maxSeconds: 2 → 1',
      ].join('\n'),
    );
  });

  it('the words of a step do not repeat a password that stands in a URL', () => {
    const found = new Map<string, Found>([
      ['Connection/crm', { etag: '"1"', content: { labels: {}, spec: { url: 'postgresql://u:canary@h/d' } } }],
    ]);
    const words = stepWords(stepsOf([declared('Connection', 'crm', { url: 'env:CRM' })], found, false));
    expect(words).toContain('~ /spec/url: "postgresql://u:…@h/d" → "env:CRM"');
    expect(words).not.toContain('canary');
  });
});
