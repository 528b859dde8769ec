/** All scenes by name; each also runs with the algorithm as it is, and must pass (simulation.test.ts). */
import type { Script } from './scene.ts';
import { checkpointScenes } from './scenes/checkpoints.ts';
import { formationScenes } from './scenes/formations.ts';
import { identityScenes } from './scenes/identities.ts';
import { restartScenes } from './scenes/restarts.ts';
import { streamScenes } from './scenes/streams.ts';
import { viewScenes } from './scenes/views.ts';
import { voteScenes } from './scenes/votes.ts';

const all = { ...streamScenes, ...viewScenes, ...voteScenes, ...identityScenes, ...checkpointScenes, ...restartScenes, ...formationScenes };
export type SceneName = keyof typeof all;
export const scenes: Readonly<Record<SceneName, Script>> = all;
export const sceneNames = Object.keys(all) as readonly SceneName[];
