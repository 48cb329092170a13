export { dueAt, TERMINAL_STATE, type Task, type TaskEndCause, type TaskState } from './task.js';
