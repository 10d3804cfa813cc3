import { runApp } from '@stockbroker/runtime';
import { startWorker } from './app.ts';
import { variables } from './config.ts';

await runApp('worker', variables, startWorker);
