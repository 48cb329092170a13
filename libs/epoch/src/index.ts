export { epochUrlFault, openEpochStore } from './epoch-url.js';
