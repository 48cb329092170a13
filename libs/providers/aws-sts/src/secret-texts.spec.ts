import { redactionSuite } from '@mayfly/testing';
import { AWS_REDACTION } from './secret-texts.js';

redactionSuite('aws-sts', AWS_REDACTION, [
  ['an AWS access key', 'AKIACANARYCANARYXYZ1', 'CANARYCANARY'],
  ['an AWS session key', 'key ASIACANARYCANARYXYZ1 used', 'CANARYCANARY'],
]);
