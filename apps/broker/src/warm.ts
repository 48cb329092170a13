import { enableCompileCache } from './compile-cache.js';

// Fills the compile cache of an image in its build: loads the service and its routes, and needs no database.
enableCompileCache();
await import('./broker.js');
await import('./describe.js');
