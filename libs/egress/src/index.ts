export { AllowList, InvalidAllowList } from './allow-list.js';
export { egressRuleOf } from './address-rules.js';
export { connectionAddressFault, connectionHostFault } from './connection-egress.js';
export { EgressRefused } from './egress-refused.js';
export { guardedLookup, resolveBySystem, type ResolveHost } from './guarded-lookup.js';
export { bareHost, PublicEgress } from './public-egress.js';
