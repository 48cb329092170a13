/**
 * The code that calls AWS. It loads when a connection is first used, because its SDK is large and most services never
 * need it.
 */
export { Accesses } from './accesses.js';
export { Probe } from './probe.js';
export { RolePolicy } from './role-policy.js';
export { mintedFrom, takeRole } from './session.js';
