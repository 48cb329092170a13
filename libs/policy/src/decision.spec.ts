import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CONTROL_NAMES } from '@mayfly/kernel';
import { CONTROL_FACTS } from './control-facts.js';
import { controlsPage } from './controls-page.js';
import { Decision, deny, permit, problemOf } from './decision.js';

const TRACED = CONTROL_NAMES.filter((name) => CONTROL_FACTS[name].inTrace);

describe('Decision', () => {
  it('Decision lists every control of a task in the fixed order, also those that were not evaluated', () => {
    const { trace } = Decision.of([permit('lifetime'), permit('identity')]);
    expect(trace.map(({ control }) => control)).toEqual(TRACED);
    expect(trace.filter(({ outcome }) => outcome === 'permit').map(({ control }) => control)).toEqual([
      'identity',
      'lifetime',
    ]);
    expect(trace.filter(({ outcome }) => outcome === 'not_evaluated')).toHaveLength(TRACED.length - 2);
  });

  it('Decision is denied by the first denial in the order of the controls, whichever came first', () => {
    const decision = Decision.of([deny('lifetime', 'too short'), deny('parameters', 'wrong'), permit('identity')]);
    expect(decision.permitted).toBe(false);
    expect(decision.refusal).toMatchObject({ control: 'parameters', detail: 'wrong' });
    expect(decision.trace.filter(({ outcome }) => outcome === 'deny').map(({ control }) => control)).toEqual([
      'parameters',
      'lifetime',
    ]);
  });

  it('Decision replaces a judgement in a copy and leaves the first decision as it was', () => {
    const before = Decision.of([permit('runtime-boundary')]);
    const after = before.with(deny('runtime-boundary', 'another runtime'));
    expect([before.permitted, after.permitted]).toEqual([true, false]);
  });

  it('Decision shows what may be shown of a verdict, and not how its problem is answered', () => {
    const denial = deny('parameters', 'wrong', {
      problem: 'provider_rejected',
      retryAfterSeconds: 3,
      help: 'change it',
    });
    expect(Decision.of([denial]).trace.find(({ outcome }) => outcome === 'deny')).toEqual({
      control: 'parameters',
      outcome: 'deny',
      detail: 'wrong',
      help: 'change it',
    });
  });
});

describe('problemOf', () => {
  it.each(CONTROL_NAMES)('problemOf answers a denial by `%s` with the code of its facts and its name', (control) => {
    const problem = problemOf(Decision.of([deny(control, 'no')]));
    expect(problem).toMatchObject({ code: CONTROL_FACTS[control].problem, detail: 'no', extensions: { control } });
  });

  it('problemOf takes code, delay, errors and limit from the denial', () => {
    const errors = [{ pointer: '/region', detail: 'use `emea`' }];
    const limit = { name: 'concurrentTasks', value: 2 };
    const denial = deny('parameters', 'no', {
      problem: 'not_found',
      retryAfterSeconds: 7,
      errors,
      evidence: { limit },
    });
    expect(problemOf(Decision.of([denial]))).toMatchObject({
      code: 'not_found',
      retryAfterSeconds: 7,
      extensions: { errors, limit },
    });
  });

  it('a decision without a denial is answered with `unavailable`', () => {
    expect(problemOf(Decision.of([]))).toMatchObject({ code: 'unavailable' });
  });
});

describe('docs/controls.md', () => {
  it('docs/controls.md has the table of controls; `node tools/write-controls.mjs` writes it', () => {
    const page = readFileSync(new URL('../../../docs/controls.md', import.meta.url), 'utf8');
    expect(page).toBe(controlsPage());
  });
});
