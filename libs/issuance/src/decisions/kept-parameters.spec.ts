import { describe, expect, it } from '@jest/globals';
import { type Json, problemThrownBy } from '@mayfly/kernel';
import { templateOf } from '@mayfly/testing';
import fc from 'fast-check';
import { keptParameters } from './kept-parameters.js';

const TEXT = { type: 'string', maxLength: 256 };
const NOTES = Array.from({ length: 40 }, (_, at) => `note-${String(at)}`);

const template = templateOf({
  parameters: {
    type: 'object',
    properties: {
      region: { enum: ['emea', 'apac'] },
      note: TEXT,
      ...Object.fromEntries(NOTES.map((name) => [name, TEXT])),
    },
    required: ['region'],
    additionalProperties: false,
  },
});
const redact = (text: string) => text.replaceAll('hunter2', '[redacted]').replace(/("token":")[^"]+/, '$1[redacted]');
const keep = (parameters: Json) => keptParameters(parameters, template, redact);
const isRefused = (parameters: Json) => problemThrownBy(() => template.validate(parameters)) !== undefined;

describe('the parameters that a record keeps', () => {
  it('parameters that fit are kept as they are', () => {
    const parameters = { region: 'emea', note: 'ticket 4711' };
    expect(keep(parameters)).toEqual({ parameters, isChanged: false });
  });

  it('parameters that fit and hold a secret are redacted, and the record says so', () => {
    expect(keep({ region: 'emea', note: 'it is hunter2' })).toEqual({
      ...{ parameters: { region: 'emea', note: 'it is [redacted]' }, isChanged: true },
    });
  });

  it('parameters that do not fit lose every value and every name that the template does not take', () => {
    expect(keep({ region: 'emea', s3cret: 'x', other: { deep: 's3cret' } }).parameters).toEqual({
      ...{ region: 'emea', 'omitted-1': null, 'omitted-2': null },
    });
    expect(keep({ region: 's3cret' }).parameters).toEqual({ region: null });
    for (const parameters of ['s3cret', ['s3cret'], 4_711]) expect(keep(parameters).parameters).toBeNull();
  });

  it('parameters that are too long are left out as a whole, and the record says so', () => {
    const notes = (count: number) => Object.fromEntries(NOTES.slice(0, count).map((name) => [name, 'n'.repeat(256)]));
    expect(keep({ region: 'emea', ...notes(40) })).toEqual({ parameters: null, isChanged: true });
    expect(keep({ region: 'emea', ...notes(20) })).toMatchObject({ isChanged: false });
  });

  it('parameters without a template to judge them are not kept', () => {
    expect(keptParameters({ region: 's3cret' }, undefined, redact)).toEqual({ parameters: {}, isChanged: false });
  });

  it('parameters of any form are refused as a record exactly when they were refused as a request', () => {
    const some = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.record(
        { region: fc.oneof(fc.constantFrom('emea', 'apac'), fc.string()), note: fc.jsonValue({ maxDepth: 1 }) },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(some, (value) => {
        const parameters = value as Json;
        const kept = keep(parameters);
        expect(isRefused(kept.parameters)).toBe(isRefused(parameters));
        if (!isRefused(parameters)) expect(kept.isChanged || kept.parameters).toEqual(parameters);
      }),
      { numRuns: 500 },
    );
  });
});
