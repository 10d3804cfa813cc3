import { runApp } from '@stockbroker/runtime';
import { startCallback } from './app.ts';
import { variables } from './config.ts';

await runApp('callback', variables, startCallback);
