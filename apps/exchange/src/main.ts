import { runApp } from '@stockbroker/runtime';
import { startExchange } from './app.ts';
import { exchangeVariables } from './config.ts';

await runApp('exchange', exchangeVariables, startExchange);
