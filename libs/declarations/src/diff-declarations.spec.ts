import { describe, expect, it } from '@jest/globals';
import { diffDeclarations } from './diff-declarations.js';
import { parseDeclarations } from './parse-declarations.js';
import { SUPPORT_YAML } from './support.fixture.js';

const before = parseDeclarations('a.yaml', SUPPORT_YAML);
const edited = parseDeclarations('a.yaml', SUPPORT_YAML.replace('maxSeconds: 1800', 'maxSeconds: 3600'));

describe('diffDeclarations', () => {
  it('diffDeclarations creates everything where there was nothing, in the order of applying', () => {
    expect(diffDeclarations([], before).map(({ kind, name, change }) => [kind, name, change])).toEqual([
      ['Issuer', 'ci', 'create'],
      ['Issuer', 'staff', 'create'],
      ['Connection', 'crm', 'create'],
      ['Agent', 'support-agent', 'create'],
      ['TaskTemplate', 'support-read-cases', 'create'],
    ]);
  });

  it('diffDeclarations changes nothing when the same is applied again', () => {
    expect(new Set(diffDeclarations(before, before).map(({ change }) => change))).toEqual(new Set(['unchanged']));
  });

  it('diffDeclarations shows an update with what differs, and nothing else', () => {
    expect(diffDeclarations(before, edited).filter(({ change }) => change !== 'unchanged')).toEqual([
      {
        kind: 'TaskTemplate',
        name: 'support-read-cases',
        change: 'update',
        differences: [{ pointer: '/spec/lifetime/maxSeconds', before: 1800, after: 3600 }],
      },
    ]);
  });

  it('diffDeclarations sees an edit of the labels', () => {
    const relabelled = parseDeclarations(
      'a.yaml',
      SUPPORT_YAML.replace('labels: { duty: support }', 'labels: { duty: sales }'),
    );
    expect(diffDeclarations(before, relabelled).find(({ kind }) => kind === 'Agent')?.differences).toEqual([
      { pointer: '/metadata/labels/duty', before: 'support', after: 'sales' },
    ]);
  });

  it('diffDeclarations takes nothing away for a document that is left out', () => {
    expect(diffDeclarations(before, [])).toEqual([]);
  });

  it('diffDeclarations keeps things of one name and two kinds apart', () => {
    const [issuer] = before;
    const agent = parseDeclarations('a.yaml', SUPPORT_YAML.replace('name: support-agent,', 'name: ci,')).slice(3, 4);
    expect(diffDeclarations(issuer === undefined ? [] : [issuer], agent)[0]?.change).toBe('create');
  });
});
