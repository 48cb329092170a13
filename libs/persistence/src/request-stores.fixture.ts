import { MAYFLY } from '@mayfly/audit';
import type { TaskDatabase } from '@mayfly/testing';
import type { Pool } from 'pg';
import { AuditReader } from './audit/audit.reader.js';
import { PgDecisionStore } from './decisions/decision.store.js';
import { PgFactStore } from './decisions/fact.store.js';
import { PgClosingStore } from './tasks/closing.store.js';
import { IdentityUseStore } from './tasks/identity-use.store.js';
import { PgIssuanceStore } from './tasks/issuance.store.js';
import { PgKeyHoldStore } from './tasks/key-hold.store.js';
import type { EndingOrder } from './tasks/task-endings.js';
import { PgTaskStore } from './tasks/task.store.js';

/** For specs: the stores that serve a request, on the PostgreSQL of a scene. */
export function requestStoresOn(scene: TaskDatabase, pool: Pool) {
  return {
    scene,
    issuance: new PgIssuanceStore(pool),
    closing: new PgClosingStore(pool, scene.clock),
    tasks: new PgTaskStore(pool),
    decisions: new PgDecisionStore(pool),
    facts: new PgFactStore(pool),
    story: new AuditReader(pool),
    keyHolds: new PgKeyHoldStore(pool),
    identityUses: new IdentityUseStore(pool),
  };
}

/** The order to end the tasks of a suspended agent. */
export function suspensionOf(agentId: string): EndingOrder {
  return { id: agentId, scope: { kind: 'agent-id', name: agentId }, cause: 'agent_suspended', actor: MAYFLY };
}
