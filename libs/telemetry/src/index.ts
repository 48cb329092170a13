export { createLogger } from './logging.js';
export { Metrics } from './metrics.js';
export { redactionOf, type Redaction } from './redaction.js';
