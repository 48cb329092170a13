import { beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY, type AuditEntry } from '@mayfly/audit';
import { newId } from '@mayfly/kernel';
import type { DeclaredRecord } from '../records/declared-record.js';
import { AgentLifecycle, type AgentLifecycleStore, type AgentMove, type LockedAgent } from './agent-lifecycle.js';

const BY = { name: 'somebody', actor: MAYFLY };
const NOW = new Date('2026-01-01T00:00:00Z');

type State = NonNullable<DeclaredRecord['agent']>['state'];

/** Keeps one agent, and the audit entries and end causes of its moves. */
class OneAgent implements AgentLifecycleStore {
  readonly entries: AuditEntry[] = [];
  readonly ended: string[] = [];
  private record: DeclaredRecord;

  constructor(state: State) {
    const common = { labels: {}, spec: {}, revision: 1, createdAt: NOW, updatedAt: NOW, updatedBy: 'somebody' };
    this.record = { kind: 'Agent', name: 'one', ...common, agent: { id: newId('agt'), state } };
  }

  underLock<T>(name: string, work: (agent: LockedAgent) => Promise<T>): Promise<T> {
    const record = name === this.record.name ? this.record : undefined;
    return work({ record, move: (move) => Promise.resolve(this.move(move)) });
  }

  private move({ to, entry, ends }: AgentMove): DeclaredRecord {
    const { agent, revision } = this.record;
    this.record = { ...this.record, revision: revision + 1, agent: { id: agent!.id, state: to } };
    this.entries.push(entry);
    if (ends !== undefined) this.ended.push(ends);
    return this.record;
  }
}

let done: string[];
beforeEach(() => {
  done = [];
});

function lifecycleOver(store: OneAgent, sweep: () => Promise<void> = () => Promise.resolve()): AgentLifecycle {
  return new AgentLifecycle({
    store,
    closing: { sweep },
    catalog: { refresh: () => Promise.resolve(void done.push('refreshed')) },
    clock: { now: () => NOW },
    report: (error) => done.push(`reported ${String(error)}`),
  });
}

describe('a step of an agent', () => {
  it.each([
    ['activate', 'registered', 'active', 'agent.activated', []],
    ['activate', 'suspended', 'active', 'agent.activated', []],
    ['suspend', 'active', 'suspended', 'agent.suspended', ['agent_suspended']],
    ['retire', 'registered', 'retired', 'agent.retired', ['agent_retired']],
    ['retire', 'active', 'retired', 'agent.retired', ['agent_retired']],
    ['retire', 'suspended', 'retired', 'agent.retired', ['agent_retired']],
  ] as const)('the step %s makes a %s agent %s', async (step, from, to, type, ended) => {
    const store = new OneAgent(from);
    const record = await lifecycleOver(store).take(step, 'one', BY);
    expect(record).toMatchObject({ revision: 2, agent: { state: to } });
    expect(store.entries).toMatchObject([{ type, agent: 'one' }]);
    expect(store.ended).toEqual(ended);
    expect(done).toEqual(['refreshed']);
  });

  it.each([
    ['activate', 'active'],
    ['suspend', 'suspended'],
    ['retire', 'retired'],
  ] as const)('the step %s does nothing to an agent that is %s', async (step, state) => {
    const store = new OneAgent(state);
    expect(await lifecycleOver(store).take(step, 'one', BY)).toMatchObject({ revision: 1 });
    expect(store.entries).toEqual([]);
  });

  it.each([
    ['activate', 'retired', 'active'],
    ['suspend', 'registered', 'suspended'],
    ['suspend', 'retired', 'suspended'],
  ] as const)('the step %s is refused for a %s agent', async (step, state, to) => {
    const store = new OneAgent(state);
    const refusal = {
      code: 'conflict',
      detail: `agent \`one\` is ${state} and cannot become ${to}; use a step that its state allows`,
    };
    await expect(lifecycleOver(store).take(step, 'one', BY)).rejects.toMatchObject(refusal);
    expect([...store.entries, ...done]).toEqual([]);
  });

  it('the step is refused for an agent that is not there', async () => {
    const taken = lifecycleOver(new OneAgent('active')).take('suspend', 'two', BY);
    await expect(taken).rejects.toMatchObject({ code: 'not_found', detail: 'there is no agent `two`' });
  });

  it('the step stands when the sweep after it fails, which is reported', async () => {
    const lifecycle = lifecycleOver(new OneAgent('active'), () => Promise.reject(new Error('no sweep')));
    expect(await lifecycle.take('suspend', 'one', BY)).toMatchObject({ agent: { state: 'suspended' } });
    expect(done).toContain('reported Error: no sweep');
  });
});
