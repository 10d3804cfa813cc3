import { text } from 'node:stream/consumers';
import { endRun } from '@stockbroker/testkit/runs';

/**
 * Outlives a run of the tests: `node tools/testGuard.ts <the run's folder>`. The run holds the other end of standard input. When that ends
 * without a word, the run was killed, and what it has left is ended and removed here.
 */
const [folder = ''] = process.argv.slice(2);
if ((await text(process.stdin)) === '') await endRun(folder);
