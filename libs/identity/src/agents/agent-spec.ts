import { NameSchema, type FieldError } from '@mayfly/kernel';
import { z } from 'zod';
import type { IssuerSpec } from '../issuers/issuer-spec.js';
import type { ClaimValue } from '../profiles/profile.js';
import { lowerCaseAuthority } from '../spiffe-id.js';
import { claimsAloneFault } from './claims-alone.js';
import { subjectPatternFault } from './subject-pattern.js';

const SubjectSchema = z
  .string()
  .min(1)
  .max(2048)
  .regex(/^[\x20-\x7e]+$/, 'use printable ASCII characters')
  .superRefine((subject, context) => {
    const message = subjectPatternFault(subject);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** Whole numbers only: JSON keeps them exactly. */
const ClaimValueSchema = z.union([z.string().min(1).max(512), z.int(), z.boolean()]);

/** One identity of an agent: its issuer, its subject or claims, and the runtime that the identity proves. */
export const AgentIdentitySchema = z
  .strictObject({
    issuer: NameSchema,
    /** exact, or with `*` for whole segments; when absent, the claims alone identify the agent */
    subject: SubjectSchema.optional(),
    runtime: NameSchema,
    /** claims that must also have exactly these values and types */
    claims: z
      .record(z.string().min(1).max(128), ClaimValueSchema)
      .refine((claims) => Object.keys(claims).length <= 16, 'bind at most 16 claims')
      .optional(),
  })
  .superRefine(({ subject, claims = {} }, context) => {
    const fault = subject === undefined ? claimsAloneFault(Object.keys(claims)) : undefined;
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, path: ['claims'] });
  });
export type AgentIdentity = z.infer<typeof AgentIdentitySchema>;

/** `Agent.spec`: its owners and its identities. */
export const AgentSpecSchema = z
  .strictObject({
    owner: NameSchema,
    backupOwner: NameSchema,
    identities: z.array(AgentIdentitySchema).min(1).max(32),
  })
  .refine(({ owner, backupOwner }) => owner !== backupOwner, {
    path: ['backupOwner'],
    message: 'name a person or team other than the owner',
  });
export type AgentSpec = z.infer<typeof AgentSpecSchema>;

interface IdentityRule {
  readonly field: keyof AgentIdentity;
  readonly detail: string;
  readonly isBroken: (identity: AgentIdentity, issuer: IssuerSpec) => boolean;
}

const rules: readonly IdentityRule[] = [
  {
    field: 'subject',
    detail: 'state `subject`: only a binding to an oidc issuer may leave it out',
    isBroken: ({ subject }, { profile }) => subject === undefined && profile !== 'oidc',
  },
  {
    field: 'subject',
    detail: 'use a SPIFFE ID of the trust domain of this issuer',
    isBroken: ({ subject }, { profile, issuer }) =>
      profile === 'spiffe-jwt' &&
      subject !== undefined &&
      !lowerCaseAuthority(subject).startsWith(`${lowerCaseAuthority(issuer)}/`),
  },
  {
    field: 'subject',
    detail: 'use `system:serviceaccount:<namespace>:<name>`',
    isBroken: ({ subject }, { profile }) =>
      profile === 'kubernetes' && subject?.startsWith('system:serviceaccount:') === false,
  },
  {
    // Names of owners and repositories can be given up and taken by somebody else; their ids cannot.
    field: 'claims',
    detail: 'bind `repository_id` or `repository_owner_id`',
    isBroken: ({ claims = {} }, { profile }) => profile === 'github-actions' && !bindsGithubId(claims),
  },
];

/** True when the claims bind a GitHub repository or its owner by an id that GitHub never reassigns. */
export function bindsGithubId(claims: Readonly<Record<string, ClaimValue>>): boolean {
  return Object.hasOwn(claims, 'repository_id') || Object.hasOwn(claims, 'repository_owner_id');
}

/** Returns the faults of an agent's identities, given the issuers by name. Pointers are relative to the spec. */
export function agentIdentityErrors(spec: AgentSpec, issuers: ReadonlyMap<string, IssuerSpec>): FieldError[] {
  return spec.identities.flatMap((identity, at) => {
    const pointer = `/identities/${String(at)}`;
    const issuer = issuers.get(identity.issuer);
    if (issuer === undefined) {
      return [{ pointer: `${pointer}/issuer`, detail: `there is no issuer \`${identity.issuer}\`; declare it first` }];
    }
    return rules
      .filter((rule) => rule.isBroken(identity, issuer))
      .map(({ field, detail }) => ({ pointer: `${pointer}/${field}`, detail }));
  });
}
