import { MAYFLY } from '@mayfly/audit';
import { expect } from '@jest/globals';
import type { TaskIntent } from '@mayfly/issuance';
import type { ClosingResult, LeaseClaim } from '@mayfly/revocation';
import type { EndRequest, TaskEndCause } from '@mayfly/tasks';
import { addSeconds } from '@mayfly/kernel';
import { factFaults } from '../fact-faults.js';
import { activationOf, declareFor, type IntentOptions, taskIntent } from '../builders.js';
import type { TaskStores } from '../task-stores.js';

/** The types whose entries the store composes; the callers of the store compose the others. */
const COMPOSED = /"type":"(task\.end|lease\.(revok|expired|failed|abandoned))/;

/** Fails when an entry that the store composed has other facts than the schema of its type. */
export async function expectRightFacts({ scene }: TaskStores): Promise<void> {
  const composed = (await scene.auditBodies()).filter((body) => COMPOSED.test(body));
  expect(composed.flatMap(factFaults)).toEqual([]);
}

/** Makes a task after step 9: its leases are being minted. */
export async function openedTask(stores: TaskStores, options: IntentOptions = {}): Promise<TaskIntent> {
  const intent = taskIntent(stores.scene.clock, options);
  await declareFor(stores.scene, intent);
  expect(await stores.issuance.open(intent)).toBe('opened');
  return intent;
}

/** Makes a task after step 11: its leases are active. */
export async function activeTask(stores: TaskStores, options: IntentOptions = {}): Promise<TaskIntent> {
  const intent = await openedTask(stores, options);
  expect(await stores.issuance.activate(activationOf(intent))).toBe(true);
  return intent;
}

/** Requests the end of a task. */
export function endTask(
  stores: TaskStores,
  { task }: TaskIntent,
  cause: TaskEndCause = 'completed',
  more: Partial<EndRequest> = {},
): Promise<readonly LeaseClaim[]> {
  return stores.closing.requestEnd({ taskId: task.id, cause, actor: MAYFLY, ...more });
}

/** Makes the result that a worker records with the provider's proof. */
export function proofOf(
  stores: TaskStores,
  claim: LeaseClaim,
  state: 'revoked' | 'expired' = 'revoked',
): ClosingResult {
  return { claim, state, effectiveAt: stores.scene.clock.now() };
}

/** Makes the result that a worker records without proof. */
export function retryOf(
  stores: TaskStores,
  claim: LeaseClaim,
  seconds = 4,
): Extract<ClosingResult, { readonly state: 'revoking' }> {
  const retryAt = addSeconds(stores.scene.clock.now(), seconds);
  return { claim, state: 'revoking', retryAt, error: 'the target did not answer' };
}
