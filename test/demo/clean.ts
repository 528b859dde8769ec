/** Removes the demo's keys and group; the data cache stays with the tools. */
import { rmSync } from 'node:fs';
import { groupFolder } from './folders.ts';

for (const name of ['demo', 'e2e']) rmSync(groupFolder(name), { recursive: true, force: true });
