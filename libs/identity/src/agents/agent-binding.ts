import type { ClaimValue } from '../profiles/profile.js';
import type { VerifiedIdentity } from '../verified-identity.js';
import { bindsGithubId, type AgentSpec } from './agent-spec.js';
import { SubjectPattern } from './subject-pattern.js';

/** One declared way from an identity to an agent in a runtime. */
export interface AgentBinding {
  /** the agent's name */
  readonly agent: string;
  /** the name of the issuer's record */
  readonly issuer: string;
  /** left out: the claims alone say who it is */
  readonly subject?: string | undefined;
  readonly runtime: string;
  readonly claims?: Readonly<Record<string, ClaimValue>> | undefined;
}

/** The bindings that an agent's spec declares. */
export function bindingsOf(agent: string, spec: AgentSpec): AgentBinding[] {
  return spec.identities.map((identity) => ({ agent, ...identity }));
}

/** A binding with its pattern read; one by claims alone has none. */
export interface CompiledBinding {
  readonly binding: AgentBinding;
  readonly pattern: SubjectPattern | undefined;
}

export function compileBinding(binding: AgentBinding): CompiledBinding {
  return { binding, pattern: binding.subject === undefined ? undefined : SubjectPattern.of(binding.subject) };
}

/** Key of all bindings that name exactly this subject of this issuer. Names of issuers have no space. */
export function exactKey(issuer: string, subject: string): string {
  return `${issuer} ${subject}`;
}

/** Whether the identity's claims satisfy the binding's, by type and value; the subject is not looked at. */
export function claimsSatisfy({ claims = {} }: AgentBinding, identity: VerifiedIdentity): boolean {
  const isHeld = Object.entries(claims).every(
    ([name, value]) => Object.hasOwn(identity.claims, name) && identity.claims[name] === value,
  );
  return isHeld && (identity.profile !== 'github-actions' || githubSatisfies(claims, identity));
}

/** A pull request runs a stranger's code: it stands for an agent only where a binding names that very event. */
function githubSatisfies(claims: NonNullable<AgentBinding['claims']>, { claims: held }: VerifiedIdentity): boolean {
  const isPullRequest = typeof held.event_name !== 'string' || held.event_name.startsWith('pull_request');
  return bindsGithubId(claims) && (!isPullRequest || Object.hasOwn(claims, 'event_name'));
}

/** Whether the two lead to the same agent in the same runtime. */
export function isSameTarget(left: AgentBinding, right: AgentBinding): boolean {
  return left.agent === right.agent && left.runtime === right.runtime;
}
