export { History } from './history.js';
