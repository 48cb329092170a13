import { type DecisionId, Problem, type TaskId } from '@mayfly/kernel';
import { decisionBody, decisionOfBody, type DecisionRecord, type DecisionStore } from '@mayfly/policy';

/** The records of decisions, in memory. */
export class FakeDecisionStore implements DecisionStore {
  /** the stored form of each record, by its id */
  readonly bodies = new Map<DecisionId, string>();

  async record(records: readonly DecisionRecord[]): Promise<void> {
    if (new Set([...this.bodies.keys(), ...records.map(({ id }) => id)]).size < this.bodies.size + records.length)
      throw new Problem('unavailable', 'the database did not commit the change; try again');
    for (const record of records) this.bodies.set(record.id, decisionBody(record));
  }

  async find(id: DecisionId): Promise<DecisionRecord | undefined> {
    const body = this.bodies.get(id);
    return body === undefined ? undefined : decisionOfBody(body);
  }

  async ofTask(taskId: TaskId): Promise<readonly DecisionRecord[]> {
    const records = [...this.bodies.values()].map(decisionOfBody).filter((record) => record.taskId === taskId);
    return records.sort((one, other) => (one.id < other.id ? -1 : 1));
  }
}
