import { beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, type ClockReading, type Problem } from '@mayfly/kernel';
import { TargetClocks } from './target-clocks.js';

describe('the clocks of targets', () => {
  let now: Date;
  let clocks: TargetClocks;
  beforeEach(() => {
    now = new Date('2030-01-01T00:00:00Z');
    clocks = new TargetClocks(5, { now: () => now });
  });
  const reading = (offsetSeconds: number, uncertaintySeconds = 0.1): ClockReading => ({
    ...{ offsetSeconds, uncertaintySeconds, at: now },
  });
  const refusal = (): Problem | undefined => {
    try {
      clocks.requireAgreement('crm');
      return undefined;
    } catch (error) {
      return error as Problem;
    }
  };

  it.each([
    [4.9, 'within the tolerance'],
    [-4.9, 'within the tolerance'],
  ])('a clock that is %s s off is %s, so the connection grants', (offset) => {
    clocks.note('crm', reading(offset));
    expect(refusal()).toBeUndefined();
    expect(clocks.check(reading(offset)).outcome).toBe('ok');
  });

  it.each([
    [12, '12 s ahead of'],
    [-90, '90 s behind'],
  ])('a clock that is %s s off refuses grants, and the text says %s', (offset, words) => {
    clocks.note('crm', reading(offset));
    expect(refusal()).toMatchObject({
      code: 'provider_unavailable',
      detail: expect.stringContaining(`connection \`crm\` is ${words} that of Mayfly's database; correct`),
      extensions: { reason: 'clock-difference' },
      retryAfterSeconds: 60,
    });
    expect(clocks.check(reading(offset))).toMatchObject({ outcome: 'failed', detail: expect.stringContaining(words) });
    expect(() => {
      clocks.requireAgreement('other');
    }).not.toThrow();
  });

  it('a slow answer proves a difference only beyond its own uncertainty', () => {
    clocks.note('crm', reading(12, 8));
    expect(refusal()).toBeUndefined();
    clocks.note('crm', reading(14, 8));
    expect(refusal()).toBeDefined();
  });

  it('a reading decides for a minute, so that a clock that was corrected is found out', () => {
    clocks.note('crm', reading(12));
    now = addSeconds(now, 60);
    expect(refusal()).toBeDefined();
    now = addSeconds(now, 1);
    expect(refusal()).toBeUndefined();
    clocks.note('crm', reading(12));
    clocks.note('crm', undefined);
    expect(refusal()).toBeDefined();
    clocks.note('crm', reading(0));
    expect(refusal()).toBeUndefined();
    expect(clocks.offsets()).toEqual(new Map([['crm', 0]]));
  });
});
