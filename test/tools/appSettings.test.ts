import { commonVariables } from '@stockbroker/runtime';
import { expect, test } from 'vitest';
import { variables as callback } from '../../apps/callback/src/config.ts';
import { exchangeVariables as exchange } from '../../apps/exchange/src/config.ts';
import { variables as gateway } from '../../apps/gateway/src/config.ts';
import { variables as worker } from '../../apps/worker/src/config.ts';
import { appSettings, natsSettings } from '../../tools/brokerProcesses.ts';

/** Ports, addresses, secrets, and what fits the issuer and the servers that npm start runs. */
const DECIDED_BY_START =
  /^(ADMIN_(HOST|PORT)|DATABASE_URL|NATS_URL|WORKER_NAME|CALLBACK_(URL|SECRETS|HOST|HTTP_PORT|GRPC_PORT)|AUTH_(ISSUER|JWKS|AUDIENCE|ALGORITHMS)|GATEWAY_(HOST|PORT|WEB_PORT|WEB_ROOT|WEB_CLIENT_ID|WEB_SIGN_IN_ORIGINS|PROXY_PROTOCOL)|EXCHANGE_(HOST|PORT|ADDRESS|DATA_DIR|API_KEY|CALLBACK_SECRET|SIMULATOR_SERVICE|TLS_\w+|SERVER_TLS_\w+))$/;

test('npm start hands on each setting of each app, or decides it: none is dropped in silence', () => {
  const names = new Set(Object.keys({ ...commonVariables, ...gateway, ...worker, ...callback, ...exchange }));
  const env = Object.fromEntries([...names].map((name) => [name, 'x']));
  const handedOn = { ...appSettings(env), ...natsSettings(env) };
  expect([...names].filter((name) => name in handedOn === DECIDED_BY_START.test(name))).toEqual([]);
});

test('settings of NATS servers are for those of the user alone', () => {
  const env = { NATS_PREFIX: 'mine', NATS_REPLICAS: '3' };
  expect(natsSettings(env)).toEqual({});
  expect(natsSettings({ ...env, NATS_URL: 'nats://n' })).toEqual(env);
});
