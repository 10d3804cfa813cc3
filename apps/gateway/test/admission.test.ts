import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallContext, type RpcError, type Served, Status } from '@stockbroker/rpc';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { createLog, createMetrics } from '@stockbroker/runtime';
import { openIssuer } from '@stockbroker/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { Admission } from '../src/admission.ts';
import { createAuthenticate } from '../src/identity/authenticate.ts';
import { IssuerKeys } from '../src/identity/issuerKeys.ts';
import { Refusals } from '../src/identity/refusals.ts';
import { unauthenticated } from '../src/identity/refused.ts';

const [log, metrics] = [createLog('test', 'silent'), createMetrics('test')];
const plenty = { callsPerSecond: 0, burstCalls: 1, streams: 0 };
const { admit } = new Admission({
  authenticate: Object.assign(async () => Promise.reject(unauthenticated('no-token', 'who?')), { known: () => undefined }),
  refusals: new Refusals(log, metrics),
  customer: plenty,
  address: plenty,
  metrics,
  nowMs: () => performance.now(),
});
const context = { method: '', peer: '192.0.2.1:1', address: '192.0.2.1', header: () => undefined } as unknown as CallContext;
const served = (service: string) => ({ service, method: { name: 'Do', responseStream: false } }) as Served;

test('admission: only the health is for anybody; a service that nobody has thought of here wants a token', async () => {
  expect(await admit(context, served(HealthDefinition.fullName))).toBeUndefined();
  await expect(admit(context, served('stockbroker.v2.New'))).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
});

/** An admission whose clock stands still, and calls from one address, as behind a balancer of connections. */
async function openShared() {
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-admission-'));
  const issuer = await openIssuer(folder);
  const algorithms = ['EdDSA'];
  const patient = { refreshMs: 600_000, cooldownMs: 600_000, staleMs: 600_000, log };
  const keys = new IssuerKeys({ read: async () => issuer.jwks(), algorithms, ...patient });
  await keys.start();
  onTestFinished(() => {
    keys.stop();
    rmSync(folder, { recursive: true });
  });
  const clock = { ms: 1_000_000 };
  const policy = { issuer: issuer.name, audience: 'stockbroker', algorithms, maxLifetimeSeconds: 7_200 };
  const shared = new Admission({
    authenticate: createAuthenticate({ keys, ...policy }),
    refusals: new Refusals(log, createMetrics('test')),
    customer: { callsPerSecond: 50, burstCalls: 100, streams: 20 },
    address: { callsPerSecond: 10, burstCalls: 40, streams: 2 },
    metrics: createMetrics('test'),
    nowMs: () => clock.ms,
  });
  const call = async (token: string, { method = 'GetAccount', responseStream = false } = {}) => {
    const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined);
    const from = { method, peer: '192.0.2.1:1', address: '192.0.2.1', header } as unknown as CallContext;
    const asked = { service: 'stockbroker.v1.TradingService', method: { name: method, responseStream } } as Served;
    return shared.admit(from, asked).then(
      () => 'OK',
      (error: RpcError) => error.codeName,
    );
  };
  const tokenFor = (scope?: string) => issuer.tokenFor(crypto.randomUUID(), scope === undefined ? {} : { scope });
  return { call, tokenFor, clock };
}

test('admission: tokens that are tried from an address spend nothing of what its customers have, before and while it is limited', async () => {
  const { call, tokenFor, clock } = await openShared();
  const alice = await tokenFor();
  const bob = await tokenFor();
  expect(await call(alice)).toBe('OK');
  const forged = bob.replace(/\.[^.]+$/, `.${'A'.repeat(86)}`);
  const answers: string[] = [];
  // Fifty a second, and a call of each customer's between any two.
  for (let i = 0; i < 200; i += 1) {
    answers.push(await call(forged));
    clock.ms += 20;
    expect(await call(alice)).toBe('OK');
  }
  expect(answers.slice(0, 4)).toEqual(Array(4).fill('UNAUTHENTICATED'));
  expect(answers.filter((answer) => answer === 'RESOURCE_EXHAUSTED').length).toBeGreaterThan(100);
  // A token that has not been seen waits for one call of the address's, once.
  while ((await call(bob)) !== 'OK') clock.ms += 100;
  for (let i = 0; i < 50; i += 1) {
    await call(forged);
    expect(await call(bob)).toBe('OK');
  }
});

test('admission: any number of customers share an address, with calls and streams', async () => {
  const { call, tokenFor } = await openShared();
  for (let i = 0; i < 100; i += 1) expect(await call(await tokenFor())).toBe('OK');
  for (let i = 0; i < 10; i += 1)
    expect(await call(await tokenFor(), { method: 'WatchTrades', responseStream: true })).toBe('OK');
});

test('admission: a good token without the scope spends its customer’s calls, not the address’s', async () => {
  const { call, tokenFor } = await openShared();
  const reader = await tokenFor('read');
  for (let i = 0; i < 90; i += 1) expect(await call(reader, { method: 'PlaceTrade' })).toBe('PERMISSION_DENIED');
  expect(await call(await tokenFor())).toBe('OK');
});
