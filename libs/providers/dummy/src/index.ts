export { DummyProvider } from './dummy.provider.js';
export { type DummyConfig, type DummyHandle, type DummyScope } from './dummy.schemas.js';
