/** The bounds that a permit asks for in return. They narrow a grant. */
export interface Obligations {
  /** the longest life of the task, renewals included, in seconds */
  readonly lifeSeconds?: number;
  /** the most tasks of the template that may run beside each other */
  readonly concurrentTasks?: number;
  /** the most tasks of the template that may begin in one minute */
  readonly tasksPerMinute?: number;
}

type Obligation = keyof Obligations;

/** The annotations that are obligations, with their largest values. Each is a whole number from 1. */
const OBLIGATIONS: Readonly<Record<string, { readonly member: Obligation; readonly most: number }>> = {
  shorterLifeSeconds: { member: 'lifeSeconds', most: 43_200 },
  fewerConcurrentTasks: { member: 'concurrentTasks', most: 10_000_000 },
  fewerTasksPerMinute: { member: 'tasksPerMinute', most: 10_000_000 },
};

/** The annotations that a policy may have. */
export const POLICY_ANNOTATIONS: readonly string[] = [...Object.keys(OBLIGATIONS), 'reason'];

const MAX_REASON = 200;

/** The annotations of one policy, as Mayfly reads them, or the faults in them. */
export interface ReadAnnotations {
  readonly obligations: Obligations;
  /** `@reason`: what a denied caller is told */
  readonly reason?: string;
  readonly faults: readonly { readonly name: string; readonly detail: string }[];
}

/**
 * Reads the annotations of a policy. An annotation that Mayfly does not know is a fault: a misspelt obligation would
 * otherwise be granted without what it asks for.
 */
export function readAnnotations(
  effect: 'permit' | 'forbid',
  annotations: Readonly<Record<string, string | null>>,
): ReadAnnotations {
  const obligations: Partial<Record<Obligation, number>> = {};
  const faults: { name: string; detail: string }[] = [];
  let reason: string | undefined;
  for (const [name, value] of Object.entries(annotations)) {
    const known = Object.hasOwn(OBLIGATIONS, name) ? OBLIGATIONS[name] : undefined;
    const detail = name === 'reason' ? faultOfReason(value) : faultOfObligation(effect, name, value);
    if (detail !== undefined) faults.push({ name, detail });
    else if (known === undefined) reason = value ?? undefined;
    else obligations[known.member] = Number(value);
  }
  return { obligations, faults, ...(reason === undefined ? {} : { reason }) };
}

function faultOfReason(value: string | null): string | undefined {
  const isFit = value !== null && value.length > 0 && value.length <= MAX_REASON && !/\p{C}/u.test(value);
  return isFit ? undefined : `\`@reason\` takes 1 to ${String(MAX_REASON)} printable characters; change its text`;
}

function faultOfObligation(effect: 'permit' | 'forbid', name: string, value: string | null): string | undefined {
  const known = Object.hasOwn(OBLIGATIONS, name) ? OBLIGATIONS[name] : undefined;
  if (known === undefined)
    return `\`@${name}\` is no annotation that Mayfly knows; use ${POLICY_ANNOTATIONS.map((one) => `\`@${one}\``).join(', ')}`;
  if (effect === 'forbid') return `\`@${name}\` has no effect at a \`forbid\`; write it at a \`permit\``;
  const isFit = value !== null && /^[1-9]\d{0,7}$/.test(value) && Number(value) <= known.most;
  return isFit ? undefined : `\`@${name}\` takes a whole number from 1 to ${String(known.most)}; change its text`;
}

/** Returns the least of each obligation: whichever comes first, the result is within every one of them. */
export function narrowest(all: readonly Obligations[]): Obligations {
  const members = Object.values(OBLIGATIONS).flatMap(({ member }) => {
    const values = all.flatMap((one) => one[member] ?? []);
    return values.length === 0 ? [] : [[member, Math.min(...values)] as const];
  });
  return Object.fromEntries(members);
}
