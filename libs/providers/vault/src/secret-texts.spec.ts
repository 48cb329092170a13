import { redactionSuite } from '@mayfly/testing';
import { VAULT_REDACTION } from './secret-texts.js';

redactionSuite('vault', VAULT_REDACTION, [
  ['a Vault service token', 'hvs.CAESIcanarycanarycanary', 'canary'],
  ['a Vault batch token', 'token hvb.AAAAAcanary-canary_canary!', 'canary'],
  ['an OpenBao token', 's.canarycanarycanarycanary', 'canary'],
]);
