import { type CallContext, type Served, Status } from '@stockbroker/rpc';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { createLog, createMetrics } from '@stockbroker/runtime';
import { expect, test } from 'vitest';
import { Admission } from '../src/admission.ts';
import { Refusals } from '../src/identity/refusals.ts';
import { unauthenticated } from '../src/identity/refused.ts';

const [log, metrics] = [createLog('test', 'silent'), createMetrics('test')];
const plenty = { callsPerSecond: 0, burstCalls: 1, streams: 0 };
const { admit } = new Admission({
  authenticate: async () => {
    throw unauthenticated('no-token', 'who?');
  },
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
