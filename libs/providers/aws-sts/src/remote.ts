/** What calls AWS. The SDK behind it is large, and is loaded when a connection is first used: most services never do. */
export { Accesses } from './accesses.js';
export { Probe } from './probe.js';
export { RolePolicy } from './role-policy.js';
export { mintedFrom, takeRole } from './session.js';
