import { enableCompileCache } from './compile-cache.js';

enableCompileCache();
await import('./main.js');
