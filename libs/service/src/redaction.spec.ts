import { redactionSuite } from '@mayfly/testing';
import { PROVIDERS } from './providers.js';

redactionSuite(
  'all providers of the service',
  PROVIDERS.flatMap(({ redaction }) => redaction ?? []),
  [
    ['an AWS access key', 'AKIACANARYCANARYXYZ1', 'CANARYCANARY'],
    ['an AWS session key', 'key ASIACANARYCANARYXYZ1 used', 'CANARYCANARY'],
    ['a Vault service token', 'hvs.CAESIcanarycanarycanary', 'canary'],
    ['a Vault batch token', 'token hvb.AAAAAcanary-canary_canary!', 'canary'],
    ['an OpenBao token', 's.canarycanarycanarycanary', 'canary'],
    ['a SCRAM verifier', 'SCRAM-SHA-256$4096:canary==$canary=:canary=', 'canary'],
    ['a JWT', 'eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOjF9.canary-signature', 'canary'],
    ['a database URL', 'postgresql://mayfly:canary@127.0.0.1:5432/crm', 'canary'],
  ],
);
