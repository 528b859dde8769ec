export { runPlan, type Files } from './run-plan.ts';
export { compile, type Columns, type Statement } from './compile.ts';
export type { Limits, Timer } from './locked-database.ts';
export type { ExecutorFault, Outcome } from './fault.ts';
