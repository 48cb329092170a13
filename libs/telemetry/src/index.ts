export { createLogger } from './logging.js';
export { Metrics } from './metrics.js';
export { redactText } from './redaction.js';
