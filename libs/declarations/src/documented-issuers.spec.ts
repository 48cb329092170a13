import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PublicEgress } from '@mayfly/egress';
import { checkDeclarations } from './check-declarations.js';
import { parseDeclarations } from './parse-declarations.js';

const page = readFileSync('docs/identity-providers.md', 'utf8');
const recipes = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);

describe('docs/identity-providers.md', () => {
  it('docs/identity-providers.md has documents that can be applied together', () => {
    expect(recipes.length).toBeGreaterThan(2);
    const documents = recipes.flatMap((yaml) => parseDeclarations('docs/identity-providers.md', yaml));
    const context = { providers: [], egress: new PublicEgress(), secretFault: () => undefined };
    expect(checkDeclarations(documents, context).warnings).toEqual([]);
  });
});
