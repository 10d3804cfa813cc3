import { runApp } from '@stockbroker/runtime';
import { startGateway } from './app.ts';
import { variables } from './config.ts';

await runApp('gateway', variables, startGateway);
