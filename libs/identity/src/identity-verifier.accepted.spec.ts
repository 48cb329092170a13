import { describe, expect, it } from '@jest/globals';
import {
  now,
  ci,
  rsa,
  mesh,
  cluster,
  hub,
  verifier,
  spiffe,
  serviceAccount,
  job,
} from './identity-verifier.fixture.js';

describe('good tokens', () => {
  it.each([
    ['oidc', ci.sign(), { issuer: 'ci', subject: 'support-agent', singleUse: false, claims: {} }],
    ['oidc with no typ', ci.sign({}, { typ: undefined }), { issuer: 'ci' }],
    ['oidc with a thumbprint', ci.sign({}, { x5t: 'x' }), { issuer: 'ci' }],
    ['oidc for several audiences', ci.sign({ aud: ['other', 'mayfly'] }), { issuer: 'ci' }],
    ['oidc expired within the tolerance', ci.sign({ exp: now - 9 }), { issuer: 'ci' }],
    ['oidc issued ahead within the tolerance', ci.sign({ iat: now + 10, nbf: now + 10 }), { issuer: 'ci' }],
    ['oidc of an hour', ci.sign({ exp: now + 3600 }), { issuer: 'ci' }],
    ['rsa', rsa.sign(), { issuer: 'rsa' }],
    ['spiffe-jwt', spiffe('spiffe://prod.example/Agent'), { issuer: 'mesh', subject: 'spiffe://prod.example/Agent' }],
    [
      'spiffe-jwt in capitals',
      spiffe('SPIFFE://PROD.example/Agent', { iat: undefined, aud: ['mayfly'] }),
      { issuer: 'mesh', subject: 'spiffe://prod.example/Agent' },
    ],
    [
      'spiffe-jwt with an issuer of its own',
      mesh.sign({ iss: 'https://spire.example', sub: 'spiffe://prod.example/a' }, { typ: 'JOSE' }),
      { issuer: 'mesh' },
    ],
    [
      'kubernetes',
      cluster.sign({
        sub: 'system:serviceaccount:crm:agent',
        'kubernetes.io': { ...serviceAccount, pod: { name: 'agent-0', uid: 'p-1' }, warnafter: now },
      }),
      {
        issuer: 'cluster',
        claims: {
          namespace: 'crm',
          serviceaccount_name: 'agent',
          serviceaccount_uid: 'u-1',
          pod_name: 'agent-0',
          pod_uid: 'p-1',
        },
      },
    ],
    [
      'github-actions',
      hub.sign({ ...job, sub: 'repo:org/app:ref:refs/heads/main', actor: 'somebody' }, { x5t: 'x' }),
      {
        issuer: 'hub',
        singleUse: true,
        jti: 'j-1',
        claims: {
          repository_id: '1',
          repository_owner_id: '2',
          event_name: 'push',
          run_id: '3',
          run_attempt: '1',
        },
      },
    ],
  ])('the identity verifier accepts %s', async (_, token, expected) => {
    await expect(verifier.verify(token)).resolves.toMatchObject({ kind: 'workload', roles: [], ...expected });
  });
});
