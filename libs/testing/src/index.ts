export { startTestPostgres, type TestDatabase, type TestPostgres } from './test-database.js';
export { testRedisUrl } from './test-redis.js';
export { FakeSigningKeyStore } from './fake-signing-key-store.js';
export { signingKeyStoreSuite } from './suites/signing-key-store.suite.js';
export { DISCOVERY_URI, IssuerWeb, JWKS_URI } from './issuer-web.js';
export { FakeIssuer, type FakeIssuerOptions } from './fake-issuer.js';
export { createMigratedDatabase } from './migrated-database.js';
export { bareEntry } from './bare-entry.js';
export { introspectableProviders } from './introspectable-providers.js';
export { mintOrder } from './mint-order.js';
export { activationOf, declareFor, requesterAt, taskIntent, templateOf, type IntentOptions } from './builders.js';
export { FakeDeclarationStore } from './fake-declaration-store.js';
export { changeStoreSuite } from './suites/change-store.suite.js';
export { declarationStoreSuite } from './suites/declaration-store.suite.js';
export { factFaults } from './fact-faults.js';
export { StoreRun, type EndOfAgent } from './comparison/store-run.js';
export { storeStories, type StoreStory } from './comparison/store-steps.js';
export { StoryReader } from './comparison/story-reader.js';
export { FakeDecisionStore } from './fake-decision-store.js';
export { decisionRecord, decisionStoreSuite } from './suites/decision-store.suite.js';
export { FakeEpochRows, FakeEpochStore } from './fake-epoch.js';
export { FakeReconciliations } from './fake-reconciliations.js';
export { FakeTaskStores } from './fake-task-stores.js';
export { abandonmentSuite } from './suites/abandonment.suite.js';
export { closingResultsSuite } from './suites/closing-results.suite.js';
export { closingStoreSuite } from './suites/closing-store.suite.js';
export { epochRowsSuite, epochStoreSuite } from './suites/epoch.suite.js';
export { identityUsesSuite } from './suites/identity-uses.suite.js';
export { issuanceStoreSuite } from './suites/issuance-store.suite.js';
export { keyHoldStoreSuite } from './suites/key-hold-store.suite.js';
export { reconciliationsSuite } from './suites/reconciliations.suite.js';
export { taskStoreSuite } from './suites/task-store.suite.js';
export { TaskDatabase } from './task-database.js';
export type { LeaseView, RequestStores, TaskScene, TaskStores, TaskView } from './task-stores.js';
export { TestClock } from './test-clock.js';
export { holdDeadlines } from './deadlines.js';
export { FakeIssuanceMetrics } from './fake-metrics.js';
export { IssuanceService } from './issuance-service.js';
export { providerConformanceSuite, type ProviderSubject } from './suites/provider-conformance.suite.js';
export { redactionSuite, type SecretText } from './suites/redaction.suite.js';
export {
  hostileLeaseSuite,
  type HostileLease,
  type HostileSubject,
  type Misdeed,
  type OpenUse,
} from './suites/hostile-leases.suite.js';
export { TestAuthority, type CertificateOrder, type IssuedCertificate } from './test-authority.js';
