import { redactionSuite } from '@mayfly/testing';
import { POSTGRES_REDACTION } from './secret-texts.js';

redactionSuite('postgres', POSTGRES_REDACTION, [
  ['a SCRAM verifier', 'SCRAM-SHA-256$4096:canary==$canary=:canary=', 'canary'],
]);
