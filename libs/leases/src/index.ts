export { canMove, isTerminal, type Lease, type LeaseState } from './lease.js';
