import type { DenyPolicies, IdentityTokens, LeaseMarks, ProviderEntry } from '@mayfly/credentials';
import type { Clock } from '@mayfly/kernel';
import { AWS_REDACTION, AwsStsProvider } from '@mayfly/provider-aws-sts';
import { type DatabaseSessions, POSTGRES_REDACTION, PostgresProvider } from '@mayfly/provider-postgres';
import { checkSignedToken, SignedTokenProvider } from '@mayfly/provider-signed-token';
import { VAULT_REDACTION, VaultProvider } from '@mayfly/provider-vault';
import type { TokenSigner } from '@mayfly/trust';

/** The dependencies that the service offers to providers. */
export interface ProviderParts {
  readonly clock: Clock;
  /** absent without a sealing key of its own: no object is then proven to be ours */
  readonly marks: LeaseMarks | undefined;
  readonly identityTokens: IdentityTokens;
  readonly signer: TokenSigner;
  readonly publicUrl: string;
  readonly sessions: DatabaseSessions;
  readonly denyPolicies: DenyPolicies;
  /** for development only: production turns both off */
  readonly allowPlainHttp: boolean;
  readonly allowTokenAuth: boolean;
}

/** All providers. To add one, add its folder and one line here. */
export const PROVIDERS: readonly ProviderEntry<ProviderParts>[] = [
  { build: (parts) => ({ provider: new SignedTokenProvider(parts.signer, parts.publicUrl), check: checkSignedToken }) },
  { build: ({ clock, marks }) => ({ provider: new PostgresProvider(clock, marks) }), redaction: POSTGRES_REDACTION },
  { build: (parts) => ({ provider: new VaultProvider(parts) }), redaction: VAULT_REDACTION },
  { build: (parts) => ({ provider: new AwsStsProvider(parts) }), redaction: AWS_REDACTION },
];
