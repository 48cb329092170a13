export { CONTROLS, type Control, type ControlName, type DecisionInput, type Verdict } from './control.js';
export { decide, type Decision } from './decide.js';
