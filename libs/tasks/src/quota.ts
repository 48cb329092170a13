/** The limits of one template, over all agents that use it (ADR 0003). */
export interface QuotaLimits {
  readonly tasksPerMinute: number;
  readonly concurrentTasks: number;
}

/** A reading of the remaining quota at one instant. Only the commit decides. */
export interface QuotaLeft {
  readonly tasksThisMinute: number;
  readonly concurrentTasks: number;
}

/** Returns the name of the counter that all versions of a template share. */
export function quotaScope(templateName: string): string {
  return `template/${templateName}`;
}

/** Returns the control that denies one more task, or undefined. */
export function exhaustedLimit(left: QuotaLeft): 'quota-concurrent-tasks' | 'quota-tasks-per-minute' | undefined {
  if (left.concurrentTasks < 1) return 'quota-concurrent-tasks';
  if (left.tasksThisMinute < 1) return 'quota-tasks-per-minute';
  return undefined;
}
