import type { JsonObject } from '@mayfly/kernel';
import { agentDocument, connectionDocument, templateDocument } from './documents.js';

/** The audience of the tokens; `resource-server/cases` of the starter files serves it. */
export const CASES = 'https://cases.example';
const api = { name: 'api', provider: 'signed-token', scope: { audience: CASES, operations: ['cases.read'] } };
const db = {
  ...{ name: 'db', provider: 'postgres', connection: 'crm' },
  scope: { grants: [{ schema: 'emea', tables: ['cases'], verbs: ['select'] }] },
};
const quota = { tasksPerMinute: 1000, concurrentTasks: 1000 };
/** Beside the starter files: two agents, another resource server, and templates with and without limits of uses. */
export const COUNTED_DOCUMENTS: readonly JsonObject[] = [
  ...['searcher', 'analyst'].map((name) => agentDocument(name)),
  connectionDocument('mail', {
    provider: 'signed-token',
    config: { audience: 'https://mail.example', resourceServers: [{ issuer: 'development', subject: 'mail' }] },
  }),
  templateDocument('free', { credentials: [api, db] }),
  templateDocument('tight', { credentials: [api, db], operations: ['select'], quota: { ...quota, uses: 3 } }),
  templateDocument('units', { quota: { ...quota, uses: { calls: 10, rows: 100 } } }),
  templateDocument('slow', { quota: { ...quota, uses: 100, usesPerMinute: 2 } }),
  templateDocument('parent', {
    quota: { ...quota, uses: 4 },
    delegation: { templates: ['slow', 'free-child'], maxDepth: 2, maxChildren: 5 },
  }),
  templateDocument('free-child'),
];
