export { exhaustedLimit, quotaScope, type QuotaLeft, type QuotaLimits } from './quota.js';
