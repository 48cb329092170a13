import { finding, type Finding } from './rule.js';
import type { TaskTemplateSpec } from './task-template.schema.js';

const LONG_REVIEW_DAYS = 180;

/** Rules MF0xx: ownership, lifetime and quota. They need only the spec. */
export function checkSpec(spec: TaskTemplateSpec): Finding[] {
  const found: Finding[] = [];
  if (spec.owner === '' || spec.owner === spec.backupOwner) {
    found.push(finding('MF001', '/backupOwner', 'name two different owners'));
  }
  if (spec.lifetime.defaultSeconds > spec.lifetime.maxSeconds) {
    found.push(finding('MF002', '/lifetime/defaultSeconds', 'use at most `maxSeconds`'));
  }
  if (spec.review.everyDays > LONG_REVIEW_DAYS) {
    found.push(finding('MF003', '/review/everyDays', `review at least every ${String(LONG_REVIEW_DAYS)} days`));
  }
  return found;
}
