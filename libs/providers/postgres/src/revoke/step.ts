import { NotConnected, StepFailure } from '../errors.js';
import { codeOf, explain, INSUFFICIENT_PRIVILEGE, MAYFLY_RETRIES } from '../failures.js';

/** A step of a revocation: `name` completes "could not …", `right` is the right that the connection's role needs. */
interface Step {
  readonly name: string;
  readonly right: string;
}

export const STEPS = {
  find: { name: 'find the role', right: 'CREATEROLE' },
  bar: { name: 'disable its login', right: 'to act as the role that made it' },
  sessions: { name: 'end its sessions', right: 'pg_signal_backend' },
  prepared: { name: 'roll back its prepared transactions', right: 'to act as the role that made it' },
  drop: { name: 'drop the role', right: 'to act as the role that made it' },
} as const satisfies Record<string, Step>;

/** Runs one step. Throws `StepFailure`, which names the step, the server's answer and the missing right, if any. */
export async function inStep<T>({ name, right }: Step, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const needs = codeOf(error) === INSUFFICIENT_PRIVILEGE ? `; it needs the right ${right}` : '';
    throw new StepFailure(
      `could not ${name}: ${explain(error, MAYFLY_RETRIES)}${needs}`,
      error instanceof NotConnected,
    );
  }
}
