import { describe, expect, it } from '@jest/globals';
import { misfit } from './misfit.js';
import type { Shape } from './shape.js';

const TASK: Shape = {
  types: ['object'],
  required: ['id', 'credentials'],
  members: {
    id: { types: ['string'] },
    version: { types: ['integer', 'null'] },
    endedAt: { types: ['string'], isInstant: true },
    draft: { anyOf: [{ types: ['null'] }, { types: ['object'], members: { author: { types: ['string'] } } }] },
    labels: { types: ['object'], values: { types: ['string'] } },
    credentials: { types: ['array'], items: { types: ['object'], required: ['leaseId'] } },
  },
};
const task = { id: 'tsk_1', credentials: [{ leaseId: 'lse_1' }] };

describe('a value', () => {
  it.each<[string, object]>([
    ['with everything that has to be there', task],
    ['with members that a later broker adds', { ...task, colour: 'blue', credentials: [{ leaseId: 'a', more: 1 }] }],
    ['whose alternatives are met', { ...task, version: null, draft: { author: 'a' }, labels: { a: 'b' } }],
    ['with an instant', { ...task, endedAt: '2026-11-22T14:00:00.000Z' }],
  ])('a value %s is of its shape', (_what, value) => {
    expect(misfit(value, TASK)).toBeUndefined();
  });

  it.each<[string, unknown, string]>([
    ['nothing at all', undefined, ''],
    ['a list instead of an object', [], ''],
    ['no id', { credentials: [] }, 'id'],
    ['an id of another type', { ...task, id: 7 }, 'id'],
    ['half a version', { ...task, version: 1.5 }, 'version'],
    ['an instant that is none', { ...task, endedAt: 'soon' }, 'endedAt'],
    ['a draft that is neither', { ...task, draft: { author: 7 } }, 'draft.author'],
    ['a label that is no text', { ...task, labels: { a: 1 } }, 'labels.a'],
    ['a credential without its lease', { ...task, credentials: [{ secret: 'canary' }] }, 'credentials.0.leaseId'],
    ['members of the prototype only', { credentials: [], __proto__: { id: 'x' } }, 'id'],
  ])('a value that has %s does not fit its shape, and the place is named', (_what, value, place) => {
    expect(misfit(value, TASK)?.join('.')).toBe(place);
  });

  it('a value is looked at by the components of the document', () => {
    expect(misfit({}, { ref: 'Task' })).toEqual(['id']);
  });
});
