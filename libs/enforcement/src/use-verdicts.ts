import { present } from '@mayfly/kernel';
import { deny, type Judgement, permit } from '@mayfly/policy';
import type { UseCounter, UseUnit } from '@mayfly/tasks';
import type { LeftOfLimit, OperationAnswer } from './operation.js';
import type { UsesLeft, UseVerdict } from './use.store.js';

/** Returns the judgements of a verdict on a use; none for a task or a lease that may not be used at all. */
export function judgeUse(verdict: UseVerdict): readonly Judgement[] {
  switch (verdict.kind) {
    case 'taken':
    case 'repeated':
      return [permit('quota-uses'), permit('uses-per-minute')];
    case 'exhausted':
      return [exhausted(verdict.counter, verdict.unit)];
    case 'too-fast':
      return [permit('quota-uses'), tooFast(verdict.counter, verdict.retryAfterSeconds)];
    case 'dead':
      return verdict.cause === 'uses_exhausted'
        ? [deny('quota-uses', 'the uses of this task are used up (`quota.uses`), and it has ended', { help: NEW_TASK })]
        : [];
  }
}

const NEW_TASK = 'ask for a new task';

function exhausted({ limits }: UseCounter, unit: UseUnit) {
  const limit = limits.total[unit] ?? 0;
  return deny(
    'quota-uses',
    `the use exceeds the limit of ${String(limit)} ${unit} (\`quota.uses\`), so the task ends`,
    {
      ...{ help: NEW_TASK, evidence: { limit: { name: `uses.${unit}`, value: limit } } },
    },
  );
}

function tooFast({ limits }: UseCounter, retryAfterSeconds: number | undefined) {
  const limit = limits.callsPerMinute ?? 0;
  return deny('uses-per-minute', `the task may do ${String(limit)} calls a minute (\`quota.usesPerMinute\`)`, {
    ...{ help: 'wait, then try again', evidence: { limit: { name: 'usesPerMinute', value: limit } } },
    ...present({ retryAfterSeconds }),
  });
}

/** Returns the members of an answer that say what is left: nothing, when the uses are used up. */
export function leftMembers(left: UsesLeft, isOver: boolean): Pick<OperationAnswer, 'uses' | 'units'> {
  const { calls, ...others } = isOver ? nothingOf(left) : left;
  return { ...present({ uses: calls }), ...(Object.keys(others).length === 0 ? {} : { units: others }) };
}

function nothingOf(left: UsesLeft): UsesLeft {
  const entries = Object.entries(left).map(([unit, { limit }]): [string, LeftOfLimit] => [unit, { limit, left: 0 }]);
  return Object.fromEntries(entries);
}
