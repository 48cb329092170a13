import { describe, expect, it } from '@jest/globals';
import { questionOf } from './authorization-call.js';
import { type Cedar, loadCedar } from './cedar-loader.js';
import { PolicyEngine } from './policy-engine.js';
import type { PolicySet, PolicyTexts } from './policy-set.js';
import { faultWords } from './policy-fault.js';
import { engine, inputOf } from './support.fixture.js';

const CALM = { freeze: false, incident: false };
const PERMIT = 'permit(principal, action, resource);';
/** A set without the digest of the broker: its texts tell it apart. */
const setOf = (texts: PolicyTexts): PolicySet => ({ texts, digest: JSON.stringify(texts) });
const faultsOf = (text: string) => engine.check({ one: text }).map(faultWords);

class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
}

/** Loads Cedar so that its calls break once `breaks` is true; counts the loads. */
function breaking(state: { breaks: boolean; loads: number }, calls: 'once' | 'always' = 'once') {
  return (): Cedar => {
    const cedar = loadCedar();
    state.loads += 1;
    let isBroken = false;
    return {
      ...cedar,
      policyToJson: cedar.policyToJson.bind(cedar),
      statefulIsAuthorized: (call) => {
        if (state.breaks) {
          isBroken = true;
          if (calls === 'once') state.breaks = false;
        }
        if (isBroken) throw new RuntimeError('memory access out of bounds');
        return cedar.statefulIsAuthorized(call);
      },
    };
  };
}

describe('PolicyEngine', () => {
  it('PolicyEngine loads Cedar at the first use, and not before', () => {
    const own = new PolicyEngine();
    expect(own.isLoaded).toBe(false);
    own.warm();
    expect(own.isLoaded).toBe(true);
  });

  it('PolicyEngine finds no fault in a policy that can be published', () => {
    const text = `@reason("no work in a freeze")
      forbid(principal, action, resource in Template::"read-cases")
      when { context.environment.freeze && principal.hasTag("duty") && principal.getTag("duty") == "support" };`;
    expect(faultsOf(text)).toEqual([]);
  });

  it.each([
    ['a text that does not parse', 'permit(principal,\n  action resource);', /^line 2, column 10: unexpected token/],
    ['a text that ends early', 'permit(principal, action, resource) when {', /^line 1, column 43: unexpected end/],
    ['no text', '', /^line 1, column 1: unexpected end/],
    ['two policies in one text', `${PERMIT} ${PERMIT}`, /^line 1, column 38: unexpected token `permit`/],
    ['a policy with a slot', 'permit(principal == ?principal, action, resource);', /expected a static policy/],
    [
      'an attribute that the schema lacks, behind other letters',
      '@reason("äöü") permit(principal, action, resource) when { principal.nme == "x" };',
      /^line 1, column 59: attribute `nme` on entity type `Agent` not found; did you mean `name`/,
    ],
    [
      'an attribute that may be absent',
      'permit(principal, action, resource) when { context.usesLeft > 1 };',
      /unable to guarantee safety of access to optional attribute `usesLeft`/,
    ],
    [
      'an action that the schema lacks',
      'permit(principal, action == Action::"rquest", resource);',
      /unrecognized action .*did you mean `Action::"request"`/,
    ],
    ['a misspelt attribute in `has`', 'forbid(principal, action, resource) when { principal has nme };', /impossible/],
    ['a path in quotes', 'forbid(principal, action, resource) when { "context.phase" == "renew" };', /impossible/],
    ['a letter of another script', 'forbid(principal, action, resource) when { "а" == "a" };', /impossible|mixed/],
    ['an obligation that nobody knows', `@shorterLife("5") ${PERMIT}`, /^line 1, column 1: `@shorterLife` is no/],
    ['an obligation of another kind', `@approval("2") ${PERMIT}`, /is no annotation that Mayfly knows/],
    ['an obligation that every object has', `@toString("2") ${PERMIT}`, /is no annotation that Mayfly knows/],
    ['an obligation without a number', `@shorterLifeSeconds ${PERMIT}`, /takes a whole number from 1 to 43200/],
    ['an obligation of nothing', `@shorterLifeSeconds("0") ${PERMIT}`, /takes a whole number/],
    ['a negative obligation', `@fewerConcurrentTasks("-1") ${PERMIT}`, /takes a whole number/],
    ['an obligation in fractions', `@fewerTasksPerMinute("1.5") ${PERMIT}`, /takes a whole number/],
    ['an obligation beyond the bound', `@shorterLifeSeconds("43201") ${PERMIT}`, /takes a whole number/],
    ['an obligation at a forbid', '@shorterLifeSeconds("5") forbid(principal, action, resource);', /no effect at a/],
    [
      'an obligation where it has no effect',
      '@shorterLifeSeconds("5") permit(principal, action == Action::"delegate", resource);',
      /has an effect for `request` and `renew` only/,
    ],
    ['a reason with a line break', `@reason("one\\ntwo") ${PERMIT}`, /`@reason` takes 1 to 200 printable/],
  ])('PolicyEngine refuses %s, with line and column', (_, text, expected) => {
    const faults = faultsOf(text);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join('\n')).toMatch(expected);
    for (const fault of faults) expect(fault).toMatch(/^line \d+, column \d+: /);
  });

  it('PolicyEngine tells a fault once, whatever actions it is found for, and all faults in the order of their places', () => {
    const text = 'permit(principal, action, resource) when { context.hour > 1 };';
    for (let round = 0; round < 5; round += 1)
      expect(faultsOf(text)).toEqual(['line 1, column 44: attribute `hour` in context not found; did you mean `now`?']);
    const two = 'permit(principal, action, resource) when { principal.nme == "x" || principal.onwer == "y" };';
    expect(faultsOf(two).map((fault) => fault.slice(0, 17))).toEqual(['line 1, column 44', 'line 1, column 68']);
  });

  it('PolicyEngine refuses a text over 64 KiB before Cedar reads it', () => {
    const own = new PolicyEngine();
    const faults = own.check({ one: `// ${'x'.repeat(65_536)}\n${PERMIT}` });
    expect(faults.map(({ detail }) => detail)).toEqual(['over 65536 bytes; use several policies']);
    expect(own.isLoaded).toBe(false);
  });

  it('PolicyEngine reads policies by their ids, so that the order of a text names none', () => {
    const set = setOf({ b: PERMIT, a: 'forbid(principal, action, resource) when { context.treeDepth > 0 };' });
    const answer = engine.ask(set, questionOf(inputOf({ treeDepth: 1 }), CALM));
    expect(answer).toEqual({ isAllowed: false, reasons: ['a'], errors: [] });
  });

  it('PolicyEngine returns the errors of policies that Cedar left out', () => {
    const overflow = 'forbid(principal, action, resource) when { context.treeDepth + 9223372036854775807 > 0 };';
    expect(engine.check({ overflow })).toEqual([]);
    const answer = engine.ask(setOf({ mayfly: PERMIT, overflow }), questionOf(inputOf({ treeDepth: 1 }), CALM));
    expect(answer).toEqual({ isAllowed: true, reasons: ['mayfly'], errors: ['overflow'] });
  });

  it('PolicyEngine throws for a question that does not fit the schema, and for a set that Cedar does not take', () => {
    const question = questionOf(inputOf(), CALM);
    const set = setOf({ mayfly: PERMIT });
    expect(() => engine.ask(set, { ...question, context: { ...question.context, more: 1 } })).toThrow('more');
    expect(() => engine.ask(set, { ...question, context: {} })).toThrow('Cedar did not decide');
    expect(() => engine.ask(setOf({ odd: 'permit(' }), question)).toThrow('Cedar refused a set');
    expect(engine.ask(set, question).isAllowed).toBe(true);
  });

  it('PolicyEngine keeps sets apart that are asked in turns', () => {
    const question = questionOf(inputOf(), CALM);
    for (let round = 0; round < 50; round += 1) {
      const id = `p${String(round % 7)}`;
      const text = round % 2 === 0 ? PERMIT : PERMIT.replace('permit', 'forbid');
      const answer = engine.ask(setOf({ [id]: text }), question);
      expect(answer).toEqual({ isAllowed: round % 2 === 0, reasons: [id], errors: [] });
    }
  });

  it('PolicyEngine gives a broken instance up and asks a new one, with every set that the old one had', () => {
    const state = { breaks: false, loads: 0 };
    const reported: unknown[] = [];
    const own = new PolicyEngine(breaking(state), (error) => reported.push(error));
    const [one, two] = [setOf({ a: PERMIT }), setOf({ b: PERMIT.replace('permit', 'forbid') })];
    const question = questionOf(inputOf(), CALM);
    expect(own.ask(one, question).isAllowed).toBe(true);
    expect(own.ask(two, question).isAllowed).toBe(false);
    state.breaks = true;
    expect(own.ask(two, question)).toEqual({ isAllowed: false, reasons: ['b'], errors: [] });
    expect(own.ask(one, question)).toEqual({ isAllowed: true, reasons: ['a'], errors: [] });
    expect(state.loads).toBe(2);
    expect(reported).toMatchObject([{ name: 'RuntimeError' }]);
  });

  it('PolicyEngine throws when the new instance breaks too, and is whole again for the next question', () => {
    const state = { breaks: true, loads: 0 };
    const own = new PolicyEngine(breaking(state, 'always'));
    const set = setOf({ a: PERMIT });
    const question = questionOf(inputOf(), CALM);
    expect(() => own.ask(set, question)).toThrow('memory access out of bounds');
    expect(state.loads).toBe(2);
    state.breaks = false;
    expect(own.ask(set, question).isAllowed).toBe(true);
  });
});
