import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readCreateTask } from './read-create-task.js';
import { CreateTaskSchema } from './task.schemas.js';

const fault = Symbol('a fault');

/** A body near the form of the schema: each member is right, at or over its limit, of another type, or missing. */
const member = (right: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 6, arbitrary: right },
    fc.jsonValue(),
    fc.constant(fault),
    fc.constantFrom(
      '',
      'x'.repeat(63),
      'x'.repeat(64),
      'x'.repeat(500),
      'x'.repeat(501),
      0,
      1,
      43_200,
      43_201,
      1.5,
      -0,
    ),
  );
const names = fc.oneof(fc.string(), fc.constantFrom('region', 'x'.repeat(64), 'x'.repeat(65)));
/** False for a text with a reserved name, at any depth: the service refuses it before either reading. */
const isReceived = (text: string): boolean => !text.includes('"__proto__"') && !text.includes('"constructor"');
const bodies = fc
  .record({
    template: member(fc.string({ minLength: 1, maxLength: 63 })),
    parameters: member(fc.dictionary(names, fc.jsonValue())),
    purpose: member(fc.string({ minLength: 1 })),
    ttlSeconds: member(fc.oneof(fc.constant(fault), fc.integer({ min: 1, max: 43_200 }))),
    other: fc.oneof({ weight: 6, arbitrary: fc.constant(fault) }, fc.jsonValue()),
  })
  .map((body) => Object.fromEntries(Object.entries(body).filter(([, value]) => value !== fault)));
const received = fc
  .oneof({ weight: 20, arbitrary: bodies }, fc.jsonValue())
  .map((body) => JSON.stringify(body))
  .filter(isReceived)
  .map((text) => JSON.parse(text) as unknown);

describe('the plain reading of a task request', () => {
  it('the plain reading takes only what the schema takes, and reads the same from it', () => {
    let taken = 0;
    fc.assert(
      fc.property(received, (body) => {
        const read = readCreateTask(body);
        if (read === undefined) return;
        taken += 1;
        expect(CreateTaskSchema.parse(body)).toEqual(read);
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  it.each([
    { template: 'read-cases', parameters: { region: 'emea' }, purpose: 'answer a ticket' },
    { template: 'x'.repeat(63), parameters: {}, purpose: 'x'.repeat(500), ttlSeconds: 43_200 },
  ])('the plain reading takes the usual request %#, so that the schema is not asked', (body) => {
    expect(readCreateTask(body)).toEqual(body);
  });

  it('the plain reading takes no body with an unknown member, so that the schema words the refusal', () => {
    expect(readCreateTask({ template: 'a', parameters: {}, purpose: 'b', scope: '*' })).toBeUndefined();
  });
});
