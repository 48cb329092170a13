import { describe, expect, it } from '@jest/globals';
import { awsEndpointVariables, awsVariables } from './aws.js';

const session = {
  accessKeyId: 'A',
  secretAccessKey: 'S',
  sessionToken: 'T',
  expiration: '2026-11-22T14:00:00Z',
  region: 'eu-central-1',
};

describe('the variables of an AWS session', () => {
  it('the variables of an AWS session are those that AWS tools look at first', () => {
    expect(awsVariables(session).set).toEqual({
      AWS_ACCESS_KEY_ID: 'A',
      AWS_SECRET_ACCESS_KEY: 'S',
      AWS_SESSION_TOKEN: 'T',
      AWS_CREDENTIAL_EXPIRATION: '2026-11-22T14:00:00Z',
      AWS_REGION: 'eu-central-1',
      AWS_DEFAULT_REGION: 'eu-central-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    });
  });

  it('the variables of an AWS session lead to an endpoint instead, and past the shared files, which tools would look at before', () => {
    const { set } = awsEndpointVariables(session, { url: 'http://127.0.0.1:1/credentials', token: 'word' });
    expect(set).toMatchObject({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'word',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_CONFIG_FILE: '/dev/null',
    });
    expect(Object.keys(set)).not.toContain('AWS_ACCESS_KEY_ID');
  });

  it.each([
    'AWS_PROFILE',
    'AWS_DEFAULT_PROFILE',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECURITY_TOKEN',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_ROLE_ARN',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_BEARER_TOKEN_BEDROCK',
    'AWS_REGION',
    'AWS_SOMETHING_NEW',
  ])('the variables of an AWS session withhold an inherited %s', (name) => {
    expect(awsVariables(session).withholds(name)).toBe(true);
    expect(awsEndpointVariables(session, { url: '', token: '' }).withholds(name)).toBe(true);
  });

  it.each(['AWS_CA_BUNDLE', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_PAGER', 'AWS_MAX_ATTEMPTS', 'HOME'])(
    'the variables of an AWS session leave %s alone',
    (name) => {
      expect(awsVariables(session).withholds(name)).toBe(false);
    },
  );
});
