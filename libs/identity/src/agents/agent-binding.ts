import type { ClaimValue } from '../profiles/profile.js';
import type { VerifiedIdentity } from '../verified-identity.js';
import { bindsGithubId, type AgentSpec } from './agent-spec.js';
import { SubjectPattern } from './subject-pattern.js';

/** One declared binding of an identity to an agent in a runtime. */
export interface AgentBinding {
  /** the agent's name */
  readonly agent: string;
  /** the name of the Issuer document */
  readonly issuer: string;
  /** without a subject, the claims alone identify the agent */
  readonly subject?: string | undefined;
  readonly runtime: string;
  readonly claims?: Readonly<Record<string, ClaimValue>> | undefined;
}

/** Returns the bindings that an agent's spec declares. */
export function bindingsOf(agent: string, spec: AgentSpec): AgentBinding[] {
  return spec.identities.map((identity) => ({ agent, ...identity }));
}

/** A binding with its parsed pattern; undefined for a binding with claims alone. */
export interface CompiledBinding {
  readonly binding: AgentBinding;
  readonly pattern: SubjectPattern | undefined;
}

/** Parses the pattern of a binding, once for all look-ups. */
export function compileBinding(binding: AgentBinding): CompiledBinding {
  return { binding, pattern: binding.subject === undefined ? undefined : SubjectPattern.of(binding.subject) };
}

/** Returns the key of all bindings with exactly this subject of this issuer. Names of issuers contain no space. */
export function exactKey(issuer: string, subject: string): string {
  return `${issuer} ${subject}`;
}

/** True when the identity has the binding's claims, by type and value. Does not check the subject. */
export function claimsSatisfy({ claims = {} }: AgentBinding, identity: VerifiedIdentity): boolean {
  const isHeld = Object.entries(claims).every(
    ([name, value]) => Object.hasOwn(identity.claims, name) && identity.claims[name] === value,
  );
  return isHeld && (identity.profile !== 'github-actions' || githubSatisfies(claims, identity));
}

/** A pull request runs a stranger's code, so it is an agent only when a binding names the event. */
function githubSatisfies(claims: NonNullable<AgentBinding['claims']>, { claims: held }: VerifiedIdentity): boolean {
  const isPullRequest = typeof held.event_name !== 'string' || held.event_name.startsWith('pull_request');
  return bindsGithubId(claims) && (!isPullRequest || Object.hasOwn(claims, 'event_name'));
}

/** True when both bindings name the same agent in the same runtime. */
export function isSameTarget(left: AgentBinding, right: AgentBinding): boolean {
  return left.agent === right.agent && left.runtime === right.runtime;
}
