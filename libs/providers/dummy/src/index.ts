export { DummyProvider, type DummyCredential } from './dummy.provider.js';
export { DummySwitches, type MintFault } from './dummy-switches.js';
export {
  DummyConfigSchema,
  DummyHandleSchema,
  DummyScopeSchema,
  type DummyConfig,
  type DummyHandle,
  type DummyScope,
} from './dummy.schemas.js';
