export { epochUrlFault } from '@mayfly/epoch';
export { projectFile } from './project-file.js';
export { PROVIDERS, type ProviderParts } from './providers.js';
export { redactText } from './redaction.js';
export { startService, type Service } from './service.js';
export type { Services } from './services.js';
export type { ServiceSettings } from './settings.js';
export { namingAddress } from './start-faults.js';
