import { createRequire } from 'node:module';
import koffi from 'koffi';

/** Runs in a pod of the smoke test: the Move VM's library loads from an image of ours. Has a `require` of its own, as bundled programs may. */
const require = createRequire(import.meta.url);
const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const library = koffi.load(`${process.env['SCS_MOVE_LIBRARY_DIR'] ?? ''}/libmovevm.${architecture}.so`);
process.stdout.write(`${typeof library.func} ${typeof require('node:fs')}\n`);
