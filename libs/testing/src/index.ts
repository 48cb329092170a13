export { startTestPostgres, type TestDatabase, type TestPostgres } from './test-database.js';
export { FakeSigningKeyStore } from './fake-signing-key-store.js';
export { signingKeyStoreSuite } from './suites/signing-key-store.suite.js';
export { FakeIssuer, type FakeIssuerOptions } from './fake-issuer.js';
