import { isSecretReference } from '@mayfly/credentials';
import { z } from 'zod';
import { RoleArnSchema } from './arn.js';
import { endpointSchema } from './endpoint.js';

/** The shortest lifetime that STS gives a session. */
export const FLOOR_SECONDS = 900;
/** the longest lifetime of a session that another role's session takes ("role chaining") */
const CHAINED_SECONDS = 3600;

const AuthSchema = z.discriminatedUnion('method', [
  /** the login that the SDK finds: the environment, a profile, the role of the machine, pod or task */
  z.strictObject({ method: z.literal('default-chain') }),
  z.strictObject({
    method: z.literal('static'),
    accessKeyId: z.string().min(1).max(256),
    secretAccessKey: z.string().min(1).max(1024),
    sessionToken: z.string().min(1).max(8192).optional(),
  }),
  /** Mayfly is the OpenID Provider that the roles trust; no key is stored. */
  z.strictObject({
    method: z.literal('web-identity'),
    /** the role that Mayfly takes for its own calls to IAM */
    roleArn: RoleArnSchema,
    audience: z.string().min(1).max(256).default('sts.amazonaws.com'),
  }),
]);

const RevocationSchema = z.discriminatedUnion('mode', [
  z.strictObject({
    mode: z.literal('role-policy'),
    /** the longest time until a denial reaches every endpoint of IAM */
    propagationSeconds: z.int().min(0).max(900).default(60),
    /** the name of the inline policy that Mayfly alone writes at each role */
    policyName: z
      .string()
      .regex(/^[\w+=,.@-]{1,128}$/, 'use 1 to 128 letters, digits and _ + = , . @ -')
      .default('MayflyRevocations'),
    /** IAM's limit on the inline policies of one role together, without white space */
    budgetCharacters: z.int().min(1024).max(10_240).default(10_240),
    /** the part of `budgetCharacters` that the role's other inline policies need */
    reservedCharacters: z.int().min(0).max(9216).default(2048),
  }),
  z.strictObject({ mode: z.literal('none') }),
]);

const CertificatesSchema = z
  .string()
  .max(262_144)
  .refine((ca) => isSecretReference(ca) || ca.includes('-----BEGIN CERTIFICATE-----'), 'use a file: reference');

const AwsConfigShape = z.strictObject({
  region: z.string().regex(/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/, 'use the name of a region, such as `eu-central-1`'),
  auth: AuthSchema,
  endpoints: z.strictObject({ sts: z.string().optional(), iam: z.string().optional() }).prefault({}),
  /** PEM certificates of the authorities that signed those of `endpoints`, as a `file:` reference */
  tls: z.strictObject({ ca: CertificatesSchema.optional() }).optional(),
  revocation: RevocationSchema.prefault({ mode: 'role-policy' }),
  /** rights that the roles' trust policies give Mayfly: `sts:SetSourceIdentity` and `sts:TagSession` */
  trusted: z.strictObject({ sourceIdentity: z.boolean().default(true), tags: z.boolean().default(true) }).prefault({}),
  /** the only roles that scopes may name; without it, any role */
  roles: z.array(RoleArnSchema).min(1).max(256).optional(),
  /** `MaxSessionDuration` of the roles */
  maxSessionSeconds: z.int().min(FLOOR_SECONDS).max(43_200).default(3600),
});
export type AwsConfig = z.infer<typeof AwsConfigShape>;

/** Returns true when STS treats a session that is taken with this login as chained. */
function isChained({ auth }: Pick<AwsConfig, 'auth'>): boolean {
  return auth.method === 'default-chain' || (auth.method === 'static' && auth.sessionToken !== undefined);
}

/** Returns true when only the server that an identity token is sent to can use the token. */
function isForReceiver({ auth, endpoints }: Pick<AwsConfig, 'auth' | 'endpoints'>): boolean {
  if (auth.method !== 'web-identity' || endpoints.sts === undefined || !URL.canParse(endpoints.sts)) return true;
  const { hostname, origin } = new URL(endpoints.sts);
  return /\.amazonaws\.com(\.cn)?$/.test(hostname) || auth.audience === origin;
}

/**
 * `Connection.spec.config`; docs/connect-aws.md has the policies that it needs. Allows http endpoints only with
 * `allowPlainHttp`.
 */
export function awsConfigSchema(allowPlainHttp: boolean): z.ZodType<AwsConfig> {
  const endpoint = endpointSchema(allowPlainHttp).optional();
  const endpoints = z.strictObject({ sts: endpoint, iam: endpoint }).prefault({});
  return AwsConfigShape.extend({ endpoints })
    .refine((config) => config.maxSessionSeconds <= CHAINED_SECONDS || !isChained(config), {
      path: ['maxSessionSeconds'],
      error: `with this \`auth\` Mayfly is a session itself, and what it takes is chained: use at most ${String(CHAINED_SECONDS)}`,
    })
    .refine((config) => allowPlainHttp || isForReceiver(config), {
      path: ['auth', 'audience'],
      error:
        'this `endpoints.sts` is not a server of AWS: use its origin as the audience, such as `https://sts.internal`',
    })
    .refine(({ endpoints: { sts, iam }, tls }) => tls?.ca === undefined || (sts ?? iam) !== undefined, {
      path: ['tls', 'ca'],
      error: 'the servers of AWS have certificates of public authorities; leave it out, or state `endpoints`',
    })
    .refine(({ revocation }) => revocation.mode === 'none' || listCharacters(revocation) >= 512, {
      path: ['revocation', 'reservedCharacters'],
      error: 'leave at least 512 of `budgetCharacters` to the denials',
    });
}

/** Returns the maximum size of the deny policy, in characters without white space. */
export function listCharacters(revocation: { budgetCharacters: number; reservedCharacters: number }): number {
  return revocation.budgetCharacters - revocation.reservedCharacters;
}
