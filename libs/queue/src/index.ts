export { postgresBackend, redisBackend } from './queue-backend.js';
export { LeaseQueue } from './queue.js';
