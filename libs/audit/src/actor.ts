import type { Actor } from './entry.js';

/** The members of a proven caller that an entry names. */
type ProvenCaller = { readonly identity: { readonly issuer: string; readonly subject: string } } & (
  | { readonly kind: 'agent'; readonly agent: { readonly name: string }; readonly runtime: string }
  | { readonly kind: 'person' | 'workload' }
);

/** Returns the actor of an entry on a proven caller: an agent by its name, others by their identity. */
export function actorOf(caller: ProvenCaller): Actor {
  const { issuer, subject } = caller.identity;
  if (caller.kind === 'agent') return { kind: 'agent', name: caller.agent.name, runtime: caller.runtime };
  return { kind: caller.kind, issuer, subject };
}
