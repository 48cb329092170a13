import { describe, expect, it } from '@jest/globals';
import { supportReadCases } from './support-read-cases.fixture.js';
import { TaskTemplateSpecSchema } from './task-template.schema.js';

const credential = { name: 'api', provider: 'signed-token', scope: { audience: 'https://cases.example' } };

/** The places that the schema refuses when `changes` replace members of a valid spec. */
function refusedPlaces(changes: object): string[] {
  const parsed = TaskTemplateSpecSchema.safeParse({ ...supportReadCases(), ...changes });
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'));
}

describe('TaskTemplateSpecSchema', () => {
  it('TaskTemplateSpecSchema accepts a whole template and changes nothing in it', () => {
    const spec = supportReadCases({
      heartbeat: { timeoutSeconds: 30 },
      quota: { tasksPerMinute: 1, concurrentTasks: 1, uses: 1 },
    });
    expect(TaskTemplateSpecSchema.parse(spec)).toEqual(spec);
  });

  it.each([
    ['a description over 500 characters', { description: 'x'.repeat(501) }, 'description'],
    ['a description that turns around', { description: 'read\u202ecases' }, 'description'],
    ['an empty description', { description: '' }, 'description'],
    ['a missing owner', { owner: undefined }, 'owner'],
    ['a backup owner who is the owner', { backupOwner: 'support-platform' }, 'backupOwner'],
    ['no review', { review: undefined }, 'review'],
    ['a review every 366 days', { review: { by: 'security', everyDays: 366 } }, 'review.everyDays'],
    ['a review every half day', { review: { by: 'security', everyDays: 0.5 } }, 'review.everyDays'],
    ['requesters without a label', { requesters: { agents: {}, runtimes: ['ci'] } }, 'requesters.agents'],
    [
      'requesters without a runtime',
      { requesters: { agents: { duty: 'support' }, runtimes: [] } },
      'requesters.runtimes',
    ],
    [
      'a default life over the longest',
      { lifetime: { defaultSeconds: 20, maxSeconds: 10 } },
      'lifetime.defaultSeconds',
    ],
    ['a life over twelve hours', { lifetime: { defaultSeconds: 1, maxSeconds: 43_201 } }, 'lifetime.maxSeconds'],
    ['a life of no seconds', { lifetime: { defaultSeconds: 0, maxSeconds: 10 } }, 'lifetime.defaultSeconds'],
    ['a rate of none', { quota: { tasksPerMinute: 0, concurrentTasks: 1 } }, 'quota.tasksPerMinute'],
    ['a rate over 10,000,000', { quota: { tasksPerMinute: 10_000_001, concurrentTasks: 1 } }, 'quota.tasksPerMinute'],
    ['a use quota of none', { quota: { tasksPerMinute: 1, concurrentTasks: 1, uses: 0 } }, 'quota.uses'],
    ...([-1, 1.5, 2 ** 53, 1e300, {}, { rows: 0.5 }, { seconds: 1 }] as const).map(
      (uses) =>
        [
          `a use quota of ${JSON.stringify(uses)}`,
          { quota: { tasksPerMinute: 1, concurrentTasks: 1, uses } },
          'quota.uses',
        ] as [string, object, string],
    ),
    [
      'a negative limit of calls',
      { quota: { tasksPerMinute: 1, concurrentTasks: 1, uses: { calls: -1 } } },
      'quota.uses.calls',
    ],
    [
      'an enormous limit of bytes',
      { quota: { tasksPerMinute: 1, concurrentTasks: 1, uses: { bytes: 2 ** 51 } } },
      'quota.uses.bytes',
    ],
    ...[0, -1, 1.5, 10_000_001].map(
      (usesPerMinute) =>
        [
          `a rate of ${String(usesPerMinute)} uses`,
          { quota: { tasksPerMinute: 1, concurrentTasks: 1, usesPerMinute } },
          'quota.usesPerMinute',
        ] as [string, object, string],
    ),
    ['an operation with a blank', { operations: ['a b'] }, 'operations.0'],
    ['no operation', { operations: [] }, 'operations'],
    ['a heartbeat under five seconds', { heartbeat: { timeoutSeconds: 4 } }, 'heartbeat.timeoutSeconds'],
    ['no credential', { credentials: [] }, 'credentials'],
    [
      'nine credentials',
      { credentials: Array.from({ length: 9 }, (_, i) => ({ ...credential, name: `c${String(i)}` })) },
      'credentials',
    ],
    ['two credentials of one name', { credentials: [credential, credential] }, 'credentials.1.name'],
    ['a scope that is a text', { credentials: [{ ...credential, scope: '*' }] }, 'credentials.0.scope'],
  ])('TaskTemplateSpecSchema refuses %s', (_, changes, place) => {
    expect(refusedPlaces(changes)).toContain(place);
  });

  it.each(['condition', 'approval', 'delivery', 'lifetme'])(
    'TaskTemplateSpecSchema refuses the unknown key %s',
    (key) => {
      const parsed = TaskTemplateSpecSchema.safeParse({ ...supportReadCases(), [key]: {} });
      expect(parsed.error?.issues[0]).toMatchObject({ code: 'unrecognized_keys', keys: [key] });
    },
  );
});
