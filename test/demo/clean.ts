/** Removes the keys and groups of demo, e2e and benchmarks; the data cache stays with the tools. */
import { removeGroups } from './folders.ts';

removeGroups();
