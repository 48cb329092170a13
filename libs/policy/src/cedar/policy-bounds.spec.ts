import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { findExceeded } from './policy-bounds.js';
import { questionOf } from './authorization-call.js';
import { engine, inputOf } from './support.fixture.js';

const around = (condition: string) => `permit(principal, action, resource) when { ${condition} };`;

/** Conditions that grow deeper with a number. */
const SHAPES: Readonly<Record<string, (n: number) => string>> = {
  parentheses: (n) => `${'('.repeat(n)}context.treeDepth > 1${')'.repeat(n)}`,
  negations: (n) => `${'!('.repeat(n)}context.treeDepth > 1${')'.repeat(n)}`,
  'a chain of and': (n) => `${'context.treeDepth > 1 && '.repeat(n)}context.treeDepth > 1`,
  'a chain of or': (n) => `${'context.treeDepth > 1 || '.repeat(n)}context.treeDepth > 1`,
  'a chain of if': (n) =>
    `${'if context.treeDepth > 1 then context.treeDepth > 2 else '.repeat(n)}context.treeDepth > 1`,
  'nested sets': (n) => `${'['.repeat(n)}1${']'.repeat(n)} == ${'['.repeat(n)}context.treeDepth${']'.repeat(n)}`,
  'nested records': (n) => `${'{a: '.repeat(n)}context.treeDepth${'}'.repeat(n)}${'.a'.repeat(n)} > 1`,
  sums: (n) => `context.treeDepth${' + 1'.repeat(n)} > 1`,
  'nested terms': (n) => `${'(context.treeDepth > 1 && '.repeat(n)}context.treeDepth > 1${')'.repeat(n)}`,
  clauses: (n) => `context.treeDepth > 1 }${' when { context.treeDepth > 1 }'.repeat(n)} when { context.treeDepth > 1`,
};

/** The deepest text of a shape within the bounds. */
function deepest(shape: (n: number) => string): string {
  let n = 1;
  while (findExceeded(around(shape(n + 1))) === undefined) n += 1;
  return around(shape(n));
}

describe('findExceeded', () => {
  it.each(Object.keys(SHAPES))('findExceeded lets no text of %s through that breaks Cedar', (name) => {
    const text = deepest(SHAPES[name] ?? String);
    // A warning may say that the condition is impossible; only a trap would say that it cannot be read.
    expect(engine.check({ one: text }).filter(({ detail }) => detail.includes('cannot read'))).toEqual([]);
    const answer = engine.ask(
      { texts: { one: text }, digest: text },
      questionOf(inputOf(), { freeze: false, incident: false }),
    );
    expect(answer.errors).toEqual([]);
  });

  it.each(Object.keys(SHAPES))('findExceeded refuses %s of 10,000, quickly and with its place', (name) => {
    const exceeded = findExceeded(around((SHAPES[name] ?? String)(10_000)));
    expect(exceeded?.detail).toMatch(/^over \d+ (bytes|levels|terms)/);
  });

  it('findExceeded allows 32 levels of brackets and 100 terms that are open, and no more', () => {
    const nested = (levels: number) => '('.repeat(levels) + ')'.repeat(levels);
    expect(findExceeded(nested(32))).toBeUndefined();
    expect(findExceeded(nested(33))).toEqual({ index: 32, detail: expect.stringContaining('32 levels') });
    expect(findExceeded('a + '.repeat(100))).toBeUndefined();
    expect(findExceeded('a + '.repeat(101))).toEqual({ index: 402, detail: expect.stringContaining('100 terms') });
    // The terms outside of a bracket count inside of it, and end with it.
    expect(findExceeded(`${'a + '.repeat(60)}(${'a + '.repeat(40)}1)`)?.detail).toContain('100 terms');
    expect(findExceeded(`(${'a + '.repeat(60)}1), (${'a + '.repeat(60)}1)`)).toBeUndefined();
  });

  it('findExceeded counts nothing inside texts and comments', () => {
    const text = around(`context.phase == "${'(&&'.repeat(500)}" // ${'[||'.repeat(500)}\n`);
    expect(findExceeded(text)).toBeUndefined();
  });

  it('findExceeded allows a list of a thousand texts', () => {
    const list = Array.from({ length: 1_000 }, (_, n) => `"name-${String(n)}"`).join(', ');
    expect(findExceeded(around(`[${list}].contains(principal.name)`))).toBeUndefined();
    expect(engine.check({ one: around(`[${list}].contains(principal.name)`) })).toEqual([]);
  });

  it('a text beyond the bounds breaks an instance of Cedar for every later call: why they are there', () => {
    const script = `
      const load = require('node:module').createRequire(process.cwd() + '/package.json');
      const fresh = () => { const path = load.resolve('@cedar-policy/cedar-wasm/nodejs'); delete load.cache[path]; return load(path); };
      const cedar = fresh();
      const outcome = (of, text) => { try { return of.policyToJson(text).type; } catch (error) { return error.name; } };
      const deep = ${JSON.stringify(around(`${'('.repeat(300)}true${')'.repeat(300)}`))};
      const plain = 'permit(principal, action, resource);';
      console.log([outcome(cedar, plain), outcome(cedar, deep), outcome(cedar, plain), outcome(fresh(), plain)].join());`;
    const said = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(said.trim()).toBe('success,RuntimeError,RuntimeError,success');
  });
});
