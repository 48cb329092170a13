export { useStrictBodies } from './body-parsers.js';
export { ConnectionDrain } from './connection-drain.js';
export { createBoundedServer } from './http-server.js';
export { renderErrorAt, renderProblem, type RenderedProblem } from './problem-table.js';
export { ProblemFilter } from './problem.filter.js';
export { RouteMethods } from './route-methods.js';
export { validationProblem } from './validation-problem.js';
