import { z } from 'zod';
import { identityRefused } from '../identity-refusal.js';
import type { KeptClaims, ProfileRules } from './profile.js';
import { subjectOf } from './proven-claims.js';

const NamedSchema = z.looseObject({ name: z.string().min(1).max(253), uid: z.string().min(1).max(64) });
const BoundTokenSchema = z.looseObject({
  namespace: z.string().min(1).max(63),
  serviceaccount: NamedSchema,
  pod: NamedSchema.optional(),
});
type BoundToken = z.infer<typeof BoundTokenSchema>;

/**
 * A projected service account token (Kubernetes, "Managing Service Accounts"): `sub` and the `kubernetes.io` claim must
 * agree. Legacy secret tokens lack that claim. Keeps for bindings: `namespace`, `serviceaccount_name`,
 * `serviceaccount_uid`, `pod_name`, `pod_uid`.
 */
export const kubernetesProfile: ProfileRules = {
  types: ['jwt'],
  ignoredHeaders: [],
  requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
  accept: (claims) => {
    const subject = subjectOf(claims);
    const bound = BoundTokenSchema.safeParse(claims['kubernetes.io']);
    if (!bound.success) throw identityRefused('profile');
    const { namespace, serviceaccount } = bound.data;
    if (subject !== `system:serviceaccount:${namespace}:${serviceaccount.name}`) throw identityRefused('profile');
    return { subject, kept: keep(bound.data) };
  },
};

function keep({ namespace, serviceaccount, pod }: BoundToken): KeptClaims {
  return {
    namespace,
    serviceaccount_name: serviceaccount.name,
    serviceaccount_uid: serviceaccount.uid,
    ...(pod === undefined ? {} : { pod_name: pod.name, pod_uid: pod.uid }),
  };
}
