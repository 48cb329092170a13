import type { ProbeCheck } from '@mayfly/credentials';
import { makersIn, type ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

/** Milliseconds of server CPU that 1,000 living roles add to one mint and one end (measured by test/load/roles.mjs). */
const COST_PER_THOUSAND = {
  login: { mint: 3.3, end: 3.9 },
  creators: { mint: 0.15, end: 0.8 },
} as const;

const NAME = 'cost of many leases';

/** Counts the living lease roles: those of the connection's makers, or all if only functions can change them. */
async function livingRoles(session: Session, facts: ServerFacts): Promise<number> {
  const made = `SELECT count(DISTINCT roleid)::int AS living FROM pg_auth_members
    WHERE member IN (SELECT oid FROM pg_roles WHERE rolname = ANY($1)) AND admin_option
      AND pg_get_userbyid(roleid) ~ '^mayfly_[0-9a-z]{26}$'`;
  const all = `SELECT count(*)::int AS living FROM pg_roles WHERE rolname ~ '^mayfly_[0-9a-z]{26}$'`;
  const { rows } = facts.functions
    ? await session.query<{ living: number }>(all)
    : await session.query<{ living: number }>(made, [[...makersIn(facts)]]);
  return rows[0]?.living ?? 0;
}

/**
 * Says in which way the connection makes lease roles, how many live, what they cost, and what the other ways would
 * save. Needs PostgreSQL 16: before, no way costs more than another.
 */
export async function wayCheck(session: Session, facts: ServerFacts): Promise<ProbeCheck> {
  const living = await livingRoles(session, facts);
  const count = `${String(living)} lease roles live`;
  if (facts.functions)
    return { name: NAME, outcome: 'ok', detail: `functions of the owner make lease roles; ${count}, at no cost` };
  if (facts.isSuperuser) return { name: NAME, outcome: 'ok', detail: `the login is a superuser; ${count}, at no cost` };
  if (facts.creators.length > 0) {
    const makers = `${String(facts.creators.length)} creator roles make lease roles; ${count}, which add`;
    const saving = 'the functions of docs/postgres-functions.sql would save that';
    return { name: NAME, outcome: 'ok', detail: `${makers} ${added('creators', living)}; ${saving}` };
  }
  const other = `creator roles would add ${added('creators', living)}, functions of the owner nothing`;
  const detail = `the role of the connection makes lease roles itself; ${count}, which add ${added('login', living)}; ${other}: docs/connect-postgres.md has both`;
  return { name: NAME, outcome: 'warning', detail };
}

function added(way: keyof typeof COST_PER_THOUSAND, living: number): string {
  const { mint, end } = COST_PER_THOUSAND[way];
  const cost = (each: number): string => ((each * living) / 1_000).toFixed(1);
  return `about ${cost(mint)} ms of the server to a mint and ${cost(end)} ms to an end`;
}
