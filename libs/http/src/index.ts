export { Caller, CallingAgent } from './access/caller.js';
export { IdentityGuard } from './access/identity.guard.js';
export { IdentifiedBy, Permits, type Permission } from './access/permits.js';
export { RefusalRecorder } from './access/refusal.recorder.js';
export { ApiProblems, ProblemSchema } from './api-problems.js';
export { createHttpApp } from './http-app.js';
export type { LeanRoute } from './lean-route.js';
export { answerPage, PageQuerySchema, pageSchema, type PageQuery } from './page.js';
export {
  ApiIfMatch,
  ApiIfMatchOrNew,
  isCreation,
  mustMatch,
  mustMatchOrBeNew,
  type RequestHeaders,
} from './preconditions.js';
export { renderProblem } from './problem-table.js';
export { ProblemFilter } from './problem.filter.js';
export { AnswersRevised, type RevisedForm } from './revised-answer.js';
export { validationProblem } from './validation-problem.js';
