export { createGuardedFetch, createGuardedPost, type PostJson } from './guarded-fetch.js';
