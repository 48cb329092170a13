import type { Targets } from '@mayfly/credentials';
import { deny, permit, type Judgement } from '@mayfly/policy';
import type { RenderedCredential } from '@mayfly/templates';
import type { HeldScope } from '../request.js';

/**
 * Judges `delegation-scope`: each credential of the child must be within one credential of the parent, of the same kind at
 * the same connection (I8).
 */
export function judgeAttenuation(
  scopes: readonly RenderedCredential[],
  held: readonly HeldScope[],
  targets: Pick<Targets, 'isWithin'>,
): Judgement {
  const wider = scopes.find(
    ({ provider, connection, scope }) =>
      !held.some(
        (one) =>
          one.provider === provider && one.connection === connection && targets.isWithin(provider, scope, one.scope),
      ),
  );
  if (wider === undefined) return permit('delegation-scope');
  return deny('delegation-scope', `credential \`${wider.name}\` of the child is within no credential of the parent`, {
    help: 'narrow the parameters, or hand on a template with less',
  });
}

/** Returns the denial of a delegation that was taken up, or whose time has passed. */
export const pendingDenial = () =>
  deny('delegation-pending', 'the delegation was taken up, or its time has passed', {
    help: 'ask the agent of the parent to delegate again',
  });

/** Returns the denial of a child whose parent ends, has ended, or ends before the child would. */
export const parentDenial = () =>
  deny('delegation-parent', 'the parent task ends, has ended, or would end before its child', {
    help: 'delegate from a task that runs for longer',
  });

/** Judges who takes a delegation up, and whether it waits. Returns the denial, or undefined. */
export function judgeAcceptance(
  { agent, waits, parentRuns }: { readonly agent: string; readonly waits: boolean; readonly parentRuns: boolean },
  acceptor: string,
): Judgement | undefined {
  if (agent !== acceptor)
    return deny('delegation-acceptor', `the delegation is for agent \`${agent}\``, {
      help: 'let that agent take it up',
    });
  if (!waits) return pendingDenial();
  return parentRuns ? undefined : parentDenial();
}
