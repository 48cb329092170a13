export { createGuardedFetch } from './guarded-fetch.js';
