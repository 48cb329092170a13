import { describe, expect, it } from '@jest/globals';
import { LabelsSchema, NameSchema } from './names.js';

describe('NameSchema', () => {
  it.each(['a', 'read-cases', '4711', 'a'.repeat(63), 'a--b'])('NameSchema accepts `%s`', (name) => {
    expect(NameSchema.parse(name)).toBe(name);
  });

  it.each(['', '-a', 'a-', 'Read', 'a_b', 'a.b', 'a b', 'a\n', 'ä', 'a'.repeat(64), 'a/b', '*'])(
    'NameSchema refuses `%s`',
    (name) => {
      expect(NameSchema.safeParse(name).success).toBe(false);
    },
  );
});

describe('LabelsSchema', () => {
  const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`l${String(n)}`, 'x']));

  it('LabelsSchema accepts as many labels as 32', () => {
    expect(LabelsSchema.safeParse(labels(32)).success).toBe(true);
    expect(LabelsSchema.safeParse(labels(33)).success).toBe(false);
  });

  it.each([{ Duty: 'support' }, { duty: 'Support' }, { duty: 1 }, { '': 'x' }])('LabelsSchema refuses %j', (value) => {
    expect(LabelsSchema.safeParse(value).success).toBe(false);
  });
});
