import { PublicEgress } from '@mayfly/egress';
import type { Role } from '@mayfly/identity';
import { type Clock, isId, type Json, type JsonObject, Problem } from '@mayfly/kernel';
import type { DeclarationStore } from '../declaration.store.js';
import { providers } from '../providers.fixture.js';
import type { DeclaredRecord, Declarer } from '../records/declared-record.js';
import { Declarations } from '../records/declarations.js';
import { DocumentWriter } from '../records/document-writer.js';
import { ChangeRequests } from './change-requests.js';
import { Changes } from './changes.js';
import { isRequested, type RequestedChange } from './document-change.js';

/** For specs: a person with roles and groups. */
export function personOf(
  subject: string,
  groups: readonly string[] = ['crm'],
  roles: readonly Role[] = ['platform'],
  issuer = 'staff',
): Declarer {
  return {
    name: `${issuer}:${subject}`,
    actor: { kind: 'person', issuer, subject },
    rights: { roles, groups },
  };
}

/** For specs: the use cases of production over a store. */
export function productionOver(store: DeclarationStore, clock: Clock) {
  const context = { providers, egress: new PublicEgress(), secretFault: () => undefined };
  const writer = new DocumentWriter({ context, clock });
  const requests = new ChangeRequests({ store, writer, clock });
  const catalog = { refresh: () => Promise.resolve() };
  const report = (error: unknown) => {
    throw error;
  };
  const rules = { catalog, clock, report, rolesOverApi: false };
  const declarations = new Declarations({ store, context, ...rules, ownership: true, requests });
  const redact = (text: string) => text.replaceAll('hunter2', '[redacted]');
  return { requests, declarations, changes: new Changes({ store, writer, redact, ...rules }) };
}

export function issuerOf(name: string, spec: JsonObject = {}): Json {
  const keys = { discovery: true };
  const declared = {
    profile: 'oidc',
    issuer: `https://${name}.example`,
    audiences: ['mayfly'],
    algorithms: ['ES256'],
    keys,
  };
  return { kind: 'Issuer', metadata: { name, labels: {} }, spec: { ...declared, owner: 'crm', ...spec } };
}

export function connectionOf(name: string, spec: JsonObject = {}): Json {
  const declared = { provider: 'token', owner: 'crm', config: {} };
  return { kind: 'Connection', metadata: { name, labels: {} }, spec: { ...declared, ...spec } };
}

export function agentOf(name: string, spec: JsonObject = {}, labels: JsonObject = {}): Json {
  const identities = [{ issuer: 'ci', subject: name, runtime: 'laptop' }];
  const declared = { owner: 'crm', backupOwner: 'sales', identities };
  return { kind: 'Agent', metadata: { name, labels }, spec: { ...declared, ...spec } };
}

/** Returns the id of the change that an answer asks for. Fails for any other answer. */
export async function changeIn(answer: Promise<DeclaredRecord | RequestedChange>) {
  const given = await answer;
  if (!isRequested(given) || !isId('chg', given.change.id)) throw new Error('no second person is asked for');
  return given.change.id;
}

/** Returns the problem of a refusal as one text: code, control and detail. */
export async function refusalIn(answer: Promise<unknown>): Promise<string> {
  const error: unknown = await answer.then(
    () => new Error('nothing was refused'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw error;
  return [error.code, error.extensions.control ?? '-', error.detail].join(' ');
}
