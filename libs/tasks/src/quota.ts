/** Limits of one template, over all agents that use it (ADR 0003). */
export interface QuotaLimits {
  readonly tasksPerMinute: number;
  readonly concurrentTasks: number;
}

/** What is left of a scope at one instant. It is a hint: only taking decides. */
export interface QuotaLeft {
  readonly tasksThisMinute: number;
  readonly concurrentTasks: number;
}

/** The counter that a template's tasks draw from. All versions of a template share it. */
export function quotaScope(templateName: string): string {
  return `template/${templateName}`;
}

/** Which limit refuses one more task, if any, by the name of its control. */
export function exhaustedLimit(left: QuotaLeft): 'quota-concurrent-tasks' | 'quota-tasks-per-minute' | undefined {
  if (left.concurrentTasks < 1) return 'quota-concurrent-tasks';
  if (left.tasksThisMinute < 1) return 'quota-tasks-per-minute';
  return undefined;
}
