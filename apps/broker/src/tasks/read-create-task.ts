import { CREATE_TASK_LIMITS as LIMITS, type CreateTask } from './task.schemas.js';

/**
 * Reads the common form of a `POST /tasks` body, as `parseJsonBody` gives it. Returns what `CreateTaskSchema` returns
 * for it, at a fraction of the time. Returns undefined for any other body, also for a valid one: the schema then decides.
 */
export function readCreateTask(body: unknown): CreateTask | undefined {
  if (!isPlain(body)) return undefined;
  const { template, parameters, purpose, ttlSeconds, ...others } = body;
  if (Object.keys(others).length > 0) return undefined;
  if (!isText(template, LIMITS.template) || !isText(purpose, LIMITS.purpose)) return undefined;
  if (!isPlain(parameters) || !Object.keys(parameters).every(isParameterName)) return undefined;
  if (ttlSeconds === undefined) return 'ttlSeconds' in body ? undefined : { template, parameters, purpose };
  return isSeconds(ttlSeconds) ? { template, parameters, purpose, ttlSeconds } : undefined;
}

function isPlain(value: unknown): value is CreateTask['parameters'] {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longest;
}

function isParameterName(name: string): boolean {
  return name.length <= LIMITS.parameterName;
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= LIMITS.ttlSeconds;
}
