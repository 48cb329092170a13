import { setTimeout as pause } from 'node:timers/promises';
import { rowsOf } from './rows.js';
import type { BackEndsScene, ProviderName } from './back-ends-scene.js';
import { leaseRoles, roleOf } from './target.js';
import type { Door } from './tasks.js';

/**
 * A mint that was killed while Vault worked on it: Mayfly revokes its token when Vault must have ended the call, 95 s after
 * the deadline of the mint, and says so.
 */
export const OUTSTANDING = `(state = 'revoking' AND last_error LIKE 'the mint has not answered yet%')`;

/** Faults of the database alone: each statement returns one row with a text for each fault. */
const RULES: Readonly<Record<string, string>> = {
  'a lease is neither active nor ended': `
    SELECT id || ' ' || state AS fault FROM lease WHERE state IN ('minting', 'revoking') AND NOT ${OUTSTANDING}`,
  'a task neither runs nor has ended': `
    SELECT id || ' ' || end_cause AS fault FROM task WHERE state = 'active' AND end_cause IS NOT NULL
      AND NOT EXISTS (SELECT FROM lease l WHERE l.task_id = task.id AND ${OUTSTANDING})`,
  'tasks of a lockdown or of a stopped agent must still end': `
    SELECT id AS fault FROM task_ending`,
  'a lease has not exactly one entry of its end': `
    SELECT l.id || ' ' || l.state || ' ' || coalesce(string_agg(a.type, ','), 'none') AS fault
    FROM lease l LEFT JOIN audit_entry a ON a.lease_id = l.id
      AND a.type IN ('lease.revoked', 'lease.expired', 'lease.failed', 'lease.abandoned')
    GROUP BY l.id, l.state
    HAVING coalesce(string_agg(a.type, ','), '') <> CASE WHEN l.state IN ('active', 'revoking') THEN '' ELSE 'lease.' || l.state END`,
  'a task has not exactly one entry of its end': `
    SELECT t.id || ' ' || t.state AS fault FROM task t
    WHERE (SELECT count(*) FROM audit_entry a WHERE a.task_id = t.id AND a.type = 'task.ended')
      <> CASE WHEN t.state = 'active' THEN 0 ELSE 1 END`,
  // The entry of a grant without anything at a target also tells what was issued.
  'an active lease has not exactly one entry of its issue': `
    SELECT l.id AS fault FROM lease l WHERE l.state = 'active' AND l.provider <> 'signed-token'
      AND (SELECT count(*) FROM audit_entry a WHERE a.lease_id = l.id AND a.type = 'lease.issued') <> 1`,
  'a counter of a quota differs from a recount': `
    SELECT q.scope || ' counts ' || q.active || ', runs ' || count(t.id) AS fault
    FROM quota_counter q LEFT JOIN task t ON t.state = 'active' AND q.scope = 'template/' || t.template_name
    GROUP BY q.scope, q.active HAVING q.active <> count(t.id)`,
  'a child runs under a task that ended': `
    SELECT c.id AS fault FROM task c JOIN task p ON p.id = c.parent_id
    WHERE c.state = 'active' AND c.end_cause IS NULL AND p.end_cause IS NOT NULL`,
  'a task runs under a lockdown': `
    SELECT id AS fault FROM task WHERE state = 'active' AND end_cause IS NULL AND lockdown_of(id) IS NOT NULL`,
  'a credential outlives its deadline at its provider (I6)': `
    SELECT id AS fault FROM lease WHERE state = 'active' AND provider_expires_at > expires_at`,
  'a request opened two tasks': `
    SELECT purpose AS fault FROM task WHERE purpose LIKE 'once %' GROUP BY purpose HAVING count(*) > 1`,
};

/**
 * Compares providers and database, and returns what is wrong, in words; nothing when the state is whole. A lease is alive
 * exactly when it is active, has ended exactly once, and is counted; no task outlives its parent or a lockdown.
 */
export async function faultsOf(scene: BackEndsScene): Promise<readonly string[]> {
  const faults = await Promise.all(
    Object.entries(RULES).map(async ([rule, statement]) => {
      const rows = await rowsOf<{ fault: string }>(scene.database.adminUrl, statement);
      return rows.length === 0 ? [] : [`${rule}: ${rows.map(({ fault }) => fault).join('; ')}`];
    }),
  );
  return [...faults.flat(), ...(await differences(scene))];
}

/**
 * Returns the leases that live at their provider without being active, and the active ones that are dead there. A lease
 * that waits for its renewal is dead until then: its session was cut off together with too many others
 * (docs/connect-aws.md).
 */
async function differences(scene: BackEndsScene): Promise<readonly string[]> {
  const rows = await rowsOf<{ id: string; provider: ProviderName; waits: boolean }>(
    scene.database.adminUrl,
    `SELECT id, provider, ${OUTSTANDING} OR renew_requested_at IS NOT NULL AS waits FROM lease WHERE state = 'active' OR ${OUTSTANDING}`,
  );
  const live = await liveObjects(scene);
  const nameOf = ({ id, provider }: { id: string; provider: ProviderName }) =>
    provider === 'postgres' ? roleOf(id) : id;
  return Object.entries(live).flatMap(([provider, objects]) => {
    const leases = rows.filter((row) => row.provider === provider);
    const known = leases.map(nameOf);
    const dead = leases.filter((row) => !row.waits && !objects.includes(nameOf(row)));
    return [
      ...objects
        .filter((object) => !known.includes(object))
        .map((object) => `alive at ${provider} without an active lease: ${object}`),
      ...dead.map((row) => `active, but dead at ${provider}: ${nameOf(row)}`),
    ];
  });
}

/**
 * Returns what lives at each back end: roles that may log in, leases with a token at Vault, leases with a session at AWS
 * that can still read. Access tokens are no objects: `POST /oauth/introspect` answers for them.
 */
async function liveObjects({ targetUrl, others, vault, aws }: BackEndsScene) {
  const roles = await leaseRoles(targetUrl);
  return {
    postgres: roles.filter((role) => !others.includes(role)),
    vault: [...new Set([...tokensAt(vault), ...(await usersAt(vault))])],
    'aws-sts': sessionsAt(aws),
  } satisfies Partial<Record<ProviderName, readonly string[]>>;
}

/** Returns the leases with a living token. */
function tokensAt({ server: { fake } }: BackEndsScene['vault']): readonly string[] {
  const tokens = fake!.tokens.accessors().map((accessor) => fake!.tokens.byAccessor(accessor));
  return tokens
    .filter((token) => token?.path === 'auth/token/create/mayfly')
    .map((token) => (token?.meta as { readonly lease: string }).lease);
}

/** Returns the users of the engine beyond one for each token: such a user lives without its token. */
async function usersAt(vault: BackEndsScene['vault']): Promise<readonly string[]> {
  const users = await vault.users();
  const tokens = tokensAt(vault).length;
  return users.length <= tokens ? [] : [`${String(users.length)} users, ${String(tokens)} tokens`];
}

function sessionsAt({ fake: { account }, target }: BackEndsScene['aws']): readonly string[] {
  const resource = `arn:aws:s3:::${target.bucket}/reports/1`;
  const usable = [...account.principals.values()].filter(
    (one) =>
      one.session !== undefined &&
      account.allows(one, { action: 's3:GetObject', resource, context: account.contextOf(one) }),
  );
  return [...new Set(usable.map(({ session }) => session!.name))];
}

/**
 * Lets the process compare every target with the leases, as it does once a minute, and waits until nothing is wrong.
 * Returns what is still wrong after `seconds`.
 */
export async function recoverWhole(scene: BackEndsScene, door: Door, seconds: number): Promise<readonly string[]> {
  const endsAt = performance.now() + seconds * 1000;
  const token = await scene.personToken('operator', 'ada');
  for (let round = 0; ; round += 1) {
    const faults = await faultsOf(scene);
    if (faults.length === 0 || performance.now() > endsAt) return faults;
    // The token of a mint that was killed before it was recorded is known to nobody: only a comparison ends it.
    if (round % 10 === 5) await door.send('POST /reconciliations', { token, body: { connection: 'vault-main' } });
    await pause(1_000);
  }
}
