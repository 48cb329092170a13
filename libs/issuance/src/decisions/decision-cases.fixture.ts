import type { ControlName, Json } from '@mayfly/kernel';
import type { DecisionPhase } from '@mayfly/policy';
import { templateOf } from '@mayfly/testing';
import type { TaskTemplateSpec } from '@mayfly/templates';
import type { DelegateInputs, RequestInputs } from './decision-inputs.js';

/** Inputs that are permitted, with the spec of the template version that they name. */
export interface PermittedCase {
  readonly phase: DecisionPhase;
  readonly inputs: RequestInputs | DelegateInputs;
  readonly spec: TaskTemplateSpec;
}

/** One input with another value, and the control that then denies; `permit` when none does. */
export type Flip = readonly [pointer: string, value: Json, control: ControlName | 'permit'];

const AT = '2030-01-01T00:00:00.000Z';
const LATER = '2030-01-01T01:00:00.000Z';
const PAST = '2029-12-31T23:59:59.000Z';
const SCOPE = { permissions: ['emea'] };
const { version } = templateOf();
const { spec } = version;
const twoConnections: TaskTemplateSpec = {
  ...spec,
  credentials: [
    ...spec.credentials,
    { name: 'mail', provider: 'dummy', connection: 'mail', scope: { permissions: ['mail:read'] } },
  ],
};
const crm = { name: 'crm', provider: 'dummy', config: {}, disabled: false };

const common = {
  ...{ at: AT, runtime: 'cluster', connections: [crm] },
  agent: { id: 'agt_01kansx8g0fmbv0xs40yaz3ag5', name: 'support-agent', state: 'active', labels: { duty: 'support' } },
  identity: { issuer: 'cluster', subject: 'agent', expiresAt: LATER },
  template: { name: version.name, version: 1, digest: version.digest },
  ...{ templateLabels: {}, policies: null },
};
const request: RequestInputs = {
  ...common,
  request: { template: version.name, parameters: { region: 'emea' }, purpose: 'answer ticket 4711', ttlSeconds: 300 },
  ...{ lockdown: null, parent: null, delegation: null, task: null, outside: null, commit: { verdict: 'opened' } },
};
const held = [{ provider: 'dummy', connection: 'crm', scope: SCOPE }];
const parent: RequestInputs['parent'] = {
  ...{ taskId: 'tsk_c', parentId: 'tsk_p', rootId: 'tsk_p', depth: 1, expiresAt: LATER, maxExpiresAt: LATER, held },
};
const task: RequestInputs['task'] = {
  ...{ id: 'tsk_t', runtime: 'cluster', lockdown: null, disabled: [] },
  leases: [{ name: 'crm', connection: 'crm', scope: SCOPE }],
};

const DELEGATING: DelegateInputs = {
  ...common,
  request: { ...request.request, agent: 'helper' },
  acceptorIsKnown: true,
  parent: {
    ...{ id: 'tsk_p', agent: 'support-agent', template: 'search', runs: true, lockdown: null, expiresAt: LATER, held },
  },
  ancestors: [
    { agent: 'support-agent', template: 'search', rule: { templates: [version.name], maxDepth: 2, maxChildren: 5 } },
    { agent: 'first-agent', template: 'first', rule: { templates: ['search'], maxDepth: 2, maxChildren: 5 } },
  ],
  commit: { verdict: 'delegated' },
};

/** The cases of requests and renewals: every flip of `REQUEST_FLIPS` is tried on each. */
export const REQUESTS: Readonly<Record<string, PermittedCase>> = {
  'a request': { phase: 'request', inputs: request, spec },
  'a request for two connections': {
    phase: 'request',
    inputs: { ...request, connections: [crm, { ...crm, name: 'mail' }] },
    spec: twoConnections,
  },
  'a request without a lifetime': {
    phase: 'request',
    inputs: { ...request, request: { ...request.request, ttlSeconds: null } },
    spec,
  },
  'an acceptance': { phase: 'request', inputs: { ...request, parent }, spec },
  'a renewal': { phase: 'renew', inputs: { ...request, task, commit: null }, spec },
  'a renewal of a child': { phase: 'renew', inputs: { ...request, parent, task, commit: null }, spec },
};
export const DELEGATION: PermittedCase = { phase: 'delegate', inputs: DELEGATING, spec };

const lockdown = (kind: string, name: string) => ({ id: 'lkd_01kansx8g0fmbv0xs40yaz3ag7', kind, name });
const quota = (tasksThisMinute: number, concurrentTasks: number) => ({
  ...{ verdict: 'quota', left: { tasksThisMinute, concurrentTasks } },
});

export const REQUEST_FLIPS: readonly Flip[] = [
  ['/agent/state', 'registered', 'agent-lifecycle'],
  ['/agent/state', 'suspended', 'agent-lifecycle'],
  ['/agent/state', 'retired', 'agent-lifecycle'],
  ['/agent/state', 'Active', 'agent-lifecycle'],
  ['/agent/name', 'another-agent', 'permit'],
  ['/agent/labels', {}, 'template-requesters'],
  ['/agent/labels', { duty: 'billing' }, 'template-requesters'],
  ['/agent/labels', { Duty: 'support' }, 'template-requesters'],
  ['/agent/labels', { duty: 'support', region: 'emea' }, 'permit'],
  ['/agent/labels/duty', 'supports', 'template-requesters'],
  ['/request/purpose', 'another purpose', 'permit'],
  ['/request/parameters', {}, 'parameters'],
  ['/request/parameters', null, 'parameters'],
  ['/request/parameters', ['emea'], 'parameters'],
  ['/request/parameters', { region: 'emea', other: 1 }, 'parameters'],
  ['/request/parameters', { Region: 'emea' }, 'parameters'],
  ['/request/parameters/region', 'mars', 'parameters'],
  ['/request/parameters/region', 'EMEA', 'parameters'],
  ['/request/parameters/region', ['emea'], 'parameters'],
  ['/request/parameters/region', null, 'parameters'],
  ['/request/ttlSeconds', 0, 'lifetime'],
  ['/request/ttlSeconds', -1, 'lifetime'],
  ['/request/ttlSeconds', 600, 'permit'],
  ['/request/ttlSeconds', 43_200, 'permit'],
  ['/identity/expiresAt', AT, 'lifetime'],
  ['/identity/expiresAt', PAST, 'lifetime'],
  ['/identity/expiresAt', '2030-01-01T00:00:00.999Z', 'lifetime'],
  ['/identity/expiresAt', '2030-01-01T00:10:00.000Z', 'permit'],
  ['/identity/subject', 'another', 'permit'],
  ['/at', LATER, 'lifetime'],
  ['/lockdown', lockdown('all', ''), 'lockdown'],
  ['/lockdown', lockdown('agent', 'support-agent'), 'lockdown'],
  ['/lockdown', lockdown('template', 'read-cases'), 'lockdown'],
  ['/lockdown', lockdown('connection', 'crm'), 'lockdown'],
  ['/template', null, 'template-lifecycle'],
  ['/connections/0/disabled', true, 'connection-state'],
  ['/spec/requesters/agents', { duty: 'billing' }, 'template-requesters'],
  ['/spec/requesters/agents', { duty: 'support', tier: 'one' }, 'template-requesters'],
  ['/spec/requesters/agents', {}, 'permit'],
  ['/spec/requesters/runtimes', ['ci'], 'runtime-boundary'],
  ['/spec/requesters/runtimes', ['ci', 'cluster'], 'permit'],
  ['/spec/lifetime/maxSeconds', 600, 'permit'],
  ['/spec/parameters/properties/region/enum', ['apac'], 'parameters'],
  ['/spec/quota/tasksPerMinute', 1, 'permit'],
  ['/spec/description', 'Read other cases.', 'permit'],
  ['/commit', quota(0, 5), 'quota-tasks-per-minute'],
  ['/commit', quota(5, 0), 'quota-concurrent-tasks'],
  ['/commit', quota(0, 0), 'quota-concurrent-tasks'],
  ['/commit', quota(5, 5), 'quota-concurrent-tasks'],
  ['/commit', { verdict: 'opened' }, 'permit'],
  ['/commit', { verdict: 'agent' }, 'agent-lifecycle'],
  ['/commit', { verdict: 'template' }, 'template-lifecycle'],
  ['/commit', { verdict: 'connection' }, 'connection-state'],
  ['/commit', { verdict: 'lockdown' }, 'lockdown'],
  ['/commit', { verdict: 'undelivered', lockdown: 'lkd_x' }, 'lockdown'],
  ['/commit', { verdict: 'delegation' }, 'delegation-pending'],
  ['/commit', { verdict: 'parent' }, 'delegation-parent'],
];

/** The flips of one kind of case alone. */
export const OWN_FLIPS: Readonly<Record<string, readonly Flip[]>> = {
  'a request': [
    ['/runtime', 'ci', 'runtime-boundary'],
    ['/request/parameters/region', 'apac', 'permit'],
    ['/delegation', { agent: 'helper', waits: true, parentRuns: true }, 'delegation-acceptor'],
    ['/delegation', { agent: 'support-agent', waits: false, parentRuns: true }, 'delegation-pending'],
    ['/delegation', { agent: 'support-agent', waits: true, parentRuns: false }, 'delegation-parent'],
    ['/delegation', { agent: 'support-agent', waits: true, parentRuns: true }, 'permit'],
  ],
  'a request for two connections': [
    ['/connections/1/disabled', true, 'connection-state'],
    ['/request/parameters/region', 'apac', 'permit'],
  ],
  'an acceptance': [
    ['/request/parameters/region', 'apac', 'delegation-scope'],
    ['/parent/held', [], 'delegation-scope'],
    ['/parent/held/0/connection', 'mail', 'delegation-scope'],
    ['/parent/held/0/provider', 'local', 'delegation-scope'],
    ['/parent/held/0/scope/permissions', ['apac'], 'delegation-scope'],
    ['/parent/expiresAt', PAST, 'lifetime'],
    ['/parent/expiresAt', AT, 'lifetime'],
    ['/parent/expiresAt', '2030-01-01T00:00:30.000Z', 'permit'],
  ],
  'a renewal': [
    ['/runtime', 'ci', 'runtime-boundary'],
    ['/task/runtime', 'ci', 'runtime-boundary'],
    ['/task/lockdown', 'lkd_x', 'lockdown'],
    ['/task/leases/0/scope/permissions', ['apac'], 'template-lifecycle'],
    ['/task/leases/0/name', 'other', 'template-lifecycle'],
    ['/request/parameters/region', 'apac', 'template-lifecycle'],
    ['/spec/credentials/0/scope', { permissions: ['apac'] }, 'template-lifecycle'],
  ],
};

export const DELEGATION_FLIPS: readonly Flip[] = [
  ['/parent/lockdown', 'lkd_x', 'lockdown'],
  ['/parent/runs', false, 'delegation-parent'],
  ['/template', null, 'delegation-template'],
  ['/ancestors/0/rule', null, 'delegation-template'],
  ['/ancestors/0/rule/templates', [], 'delegation-template'],
  ['/ancestors/0/rule/templates', ['other'], 'delegation-template'],
  ['/ancestors/0/rule/maxDepth', 0, 'delegation-depth'],
  ['/ancestors/1/rule/maxDepth', 1, 'delegation-depth'],
  ['/ancestors/1/rule', null, 'delegation-depth'],
  ['/ancestors/1/rule/maxDepth', 5, 'permit'],
  ['/acceptorIsKnown', false, 'delegation-acceptor'],
  ['/ancestors/1', { agent: 'helper', template: 'read-cases', rule: null }, 'delegation-depth'],
  ['/request/agent', 'support-agent', 'permit'],
  ['/ancestors/0/template', 'read-cases', 'permit'],
  ['/request/ttlSeconds', 3_601, 'delegation-lifetime'],
  ['/request/ttlSeconds', 3_600, 'permit'],
  ['/request/ttlSeconds', null, 'permit'],
  ['/parent/expiresAt', '2030-01-01T00:04:59.000Z', 'delegation-lifetime'],
  ['/parent/expiresAt', '2030-01-01T00:05:00.000Z', 'permit'],
  ['/at', '2030-01-01T00:59:00.000Z', 'delegation-lifetime'],
  ['/request/parameters', {}, 'parameters'],
  ['/request/parameters/region', 'mars', 'parameters'],
  ['/request/parameters/region', 'apac', 'delegation-scope'],
  ['/parent/held', [], 'delegation-scope'],
  ['/parent/held/0/connection', 'mail', 'delegation-scope'],
  ['/parent/held/0/connection', null, 'delegation-scope'],
  ['/parent/held/0/scope', {}, 'delegation-scope'],
  ['/spec/credentials/0/connection', 'mail', 'delegation-scope'],
  ['/spec/parameters/properties/region/enum', ['apac'], 'parameters'],
  ['/commit', { verdict: 'parent' }, 'delegation-parent'],
  ['/commit', { verdict: 'children' }, 'delegation-children'],
  ['/commit', { verdict: 'delegated' }, 'permit'],
  ['/agent/state', 'suspended', 'permit'], // judged at the door, and again when it is taken up
];
