import { apiOf } from './api.ts';
import { readAccess } from './kubeconfig.ts';
import { keepVolumes } from './volumes.ts';

/** The program that tends volumes beside a full cluster: arguments are a kubeconfig and the cluster's folder. */
const [kubeconfig, folder] = process.argv.slice(2);
if (kubeconfig === undefined || folder === undefined) throw new Error('usage: volumes-daemon.ts <kubeconfig> <folder>');
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await keepVolumes(apiOf(readAccess(kubeconfig)), folder, stop.signal);
