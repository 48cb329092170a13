import type { ControlName, ProblemCode } from '@mayfly/kernel';

/** The documentation of a control. `docs/controls.md` is generated from it. */
export interface ControlFacts {
  /** the condition under which the control permits */
  readonly permits: string;
  /** the person who can change the outcome, and how */
  readonly help: string;
  /** the problem code of a denial, unless the verdict states another */
  readonly problem: ProblemCode;
  /** true when the control belongs to the decision on a task and appears in its trace */
  readonly inTrace: boolean;
}

/** INVARIANT: one table holds all controls; a missing control does not compile. */
export const CONTROL_FACTS: Readonly<Record<ControlName, ControlFacts>> = {
  identity: {
    permits: 'The token is proven to come from a declared issuer, and it has not been used up.',
    help: 'The caller gets a new token. The platform team mends the Issuer document.',
    problem: 'unauthenticated',
    inTrace: true,
  },
  permission: {
    permits: 'The kind of the caller, or one of its roles, is among those that the route states.',
    help: 'The identity provider gives the person the role, or the platform team binds the identity to an agent.',
    problem: 'forbidden',
    inTrace: true,
  },
  lockdown: {
    permits: 'No lockdown in force covers the task: not at the decision, and not at the commit that delivers.',
    help: 'Two operators release the lockdown, when the incident is over.',
    problem: 'policy_denied',
    inTrace: true,
  },
  'template-lifecycle': {
    permits: 'The template has a version in force, and the same version is in force when the task is recorded.',
    help: 'The platform team publishes the template. After a change, the caller sends the request again.',
    problem: 'policy_denied',
    inTrace: true,
  },
  parameters: {
    permits: 'The parameters fit the schema of the template, and the scopes that they give fit the provider.',
    help: 'The caller changes the parameters that `errors` points at.',
    problem: 'invalid_parameters',
    inTrace: true,
  },
  'agent-lifecycle': {
    permits: 'The agent is active.',
    help: 'An operator activates the agent. A retired agent stays retired.',
    problem: 'policy_denied',
    inTrace: true,
  },
  'template-requesters': {
    permits: 'The agent has every label that the template asks of requesters.',
    help: 'The owner of the template widens `requesters.agents`, or the platform team labels the agent.',
    problem: 'policy_denied',
    inTrace: true,
  },
  'runtime-boundary': {
    permits: 'The agent runs in a runtime that the template allows. A renewal comes from the runtime of its task.',
    help: 'The caller runs the task elsewhere, or the owner of the template adds the runtime.',
    problem: 'policy_denied',
    inTrace: true,
  },
  lifetime: {
    permits: 'The least of the requested, allowed and proven lifetimes reaches the floor of every provider.',
    help: 'The caller asks for a longer lifetime, with an identity token that lives as long.',
    problem: 'policy_denied',
    inTrace: true,
  },
  'connection-state': {
    permits: 'No connection of the task is disabled.',
    help: 'The owner of the connection enables it.',
    problem: 'policy_denied',
    inTrace: true,
  },
  'quota-concurrent-tasks': {
    permits: 'Fewer tasks of the template are running than `quota.concurrentTasks`.',
    help: 'The caller completes a running task, or the owner of the template raises the limit.',
    problem: 'quota_exceeded',
    inTrace: true,
  },
  'quota-tasks-per-minute': {
    permits: 'Fewer tasks of the template began in this minute than `quota.tasksPerMinute`.',
    help: 'The caller tries again within a minute, or the owner of the template raises the limit.',
    problem: 'quota_exceeded',
    inTrace: true,
  },
  policy: {
    permits:
      'No policy in force forbids the request, and each allow-list that applies permits it. Without policies it permits.',
    help: 'The owner of the policy that the denial names changes it.',
    problem: 'policy_denied',
    inTrace: true,
  },
  'connection-capacity': {
    permits: 'The sessions that a new role may open still fit the target. The provider checks it while it mints.',
    help: 'Running tasks complete, or the owner of the connection raises `connectionCapacity`.',
    problem: 'quota_exceeded',
    inTrace: false,
  },
  'delegation-parent': {
    permits: 'The task that hands work on runs: it has not ended, and no end of it is recorded.',
    help: 'Nobody: what an ended task handed on never begins.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-template': {
    permits: 'The version of the parent names the template of the child under `delegation.templates`.',
    help: "The owner of the parent's template adds the template.",
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-depth': {
    permits: 'The child is within `delegation.maxDepth` of each task above it.',
    help: 'The caller does this part of the work itself, or the owner of the template raises `maxDepth`.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-children': {
    permits: 'Fewer children of the parent wait or run than `delegation.maxChildren`.',
    help: 'The caller waits until a child ends, or the owner of the template raises `maxChildren`.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-cycle': {
    permits: 'No task above the child has the same agent and the same template.',
    help: 'The caller hands on to another agent, or as another template.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-scope': {
    permits: 'Each credential of the child is within a credential of the parent, at the same connection.',
    help: 'The caller narrows the parameters.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-lifetime': {
    permits: 'The child ends when the parent does, or earlier.',
    help: 'The caller asks for a shorter lifetime, or renews the parent first.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-acceptor': {
    permits: 'The agent that takes a delegation up is the one that it names.',
    help: 'The named agent takes it up.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'delegation-pending': {
    permits: 'The delegation waits: nobody took it up, and its time has not passed.',
    help: 'The agent of the parent delegates again.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'four-eyes': {
    permits: 'The person who publishes a template version did not change its draft.',
    help: 'Another member of the platform team publishes the draft.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'lockdown-release': {
    permits: 'The operator who releases a lockdown is not the one who asked for its release.',
    help: 'Another operator releases it.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'lockdown-of-oneself': {
    permits: 'The issuer under a lockdown is not the one that vouches for the operator who engages it.',
    help: 'An operator of another issuer engages it, or the caller engages one of kind `all`.',
    problem: 'policy_denied',
    inTrace: false,
  },
  'issuer-roles': {
    permits: 'An issuer that gives roles to people is declared by the operator and not over the API.',
    help: 'The operator changes the file that `MAYFLY_BOOTSTRAP_ISSUER` names.',
    problem: 'policy_denied',
    inTrace: false,
  },
};
