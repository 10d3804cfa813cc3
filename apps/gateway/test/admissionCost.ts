import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GrpcServer, RpcChannel, RpcError, Status } from '@stockbroker/rpc';
import { Quote, TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { createLog, createMetrics } from '@stockbroker/runtime';
import { openIssuer } from '@stockbroker/testkit/processes';
import { Admission } from '../src/admission.ts';
import { createAuthenticate } from '../src/identity/authenticate.ts';
import { IssuerKeys } from '../src/identity/issuerKeys.ts';
import { Refusals } from '../src/identity/refusals.ts';

/*
 * What admission costs: the same call over gRPC, answered at once, by a server that admits each call and by one that admits all, in
 * turns. Run it with: node apps/gateway/test/admissionCost.ts --rounds 10
 */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } });
const CUSTOMERS = 1_000;
const CALLS = 5_000;
const AT_ONCE = 100;

const folder = mkdtempSync(join(tmpdir(), 'stockbroker-admission-'));
const issuer = await openIssuer(folder);
const [log, metrics] = [createLog('cost', 'silent'), createMetrics('cost')];
const day = 86_400_000;
const algorithms = ['EdDSA'];
const keys = new IssuerKeys({ read: async () => issuer.jwks(), algorithms, refreshMs: day, cooldownMs: day, staleMs: day, log });
await keys.start();
const policy = { issuer: issuer.name, audience: 'stockbroker', algorithms, maxLifetimeSeconds: 7_200 };
const plenty = { callsPerSecond: 1_000_000, burstCalls: 1_000_000, streams: 1 };
const admission = new Admission({
  authenticate: createAuthenticate({ keys, ...policy }),
  refusals: new Refusals(log, metrics),
  customer: plenty,
  address: plenty,
  metrics,
  nowMs: () => performance.now(),
});
const unimplemented = async () => Promise.reject(new RpcError(Status.UNIMPLEMENTED, 'not here'));

async function serve(admit: Admission['admit'] | undefined) {
  const server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    maxRequestBytes: 65_536,
    maxInFlight: 1_000,
    admit,
    toRpcError: (error) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, String(error))),
  });
  server.add(TradingServiceDefinition, {
    getQuote: async ({ stockTicker }) => Quote.create({ stockTicker }),
    placeTrade: unimplemented,
    cancelTrade: unimplemented,
    getTrade: unimplemented,
    listTrades: unimplemented,
    getAccount: unimplemented,
    listInstruments: unimplemented,
    listPrices: unimplemented,
    async *watchTrades() {},
    async *watchQuotes() {},
  });
  const channel = new RpcChannel(`127.0.0.1:${await server.listen()}`);
  return { server, channel, client: channel.client(TradingServiceDefinition) };
}

const tokens = await Promise.all(Array.from({ length: CUSTOMERS }, () => issuer.tokenFor(crypto.randomUUID())));
const headers = tokens.map((token) => ({ authorization: `Bearer ${token}` }));
const servers = [await serve(undefined), await serve(admission.admit)];

/** Processor time, because other processes take theirs. @returns microseconds a call, of client and server together */
async function measure({ client }: (typeof servers)[number]): Promise<number> {
  let next = 0;
  const started = process.cpuUsage();
  const caller = async () => {
    while (next < CALLS) {
      const call = next;
      next += 1;
      await client.getQuote({ stockTicker: 'AAPL' }, { headers: headers[call % CUSTOMERS] ?? {} });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return busy(started) / CALLS;
}

for (const server of servers) await measure(server); // Warm, and every token known.
const ratios: number[] = [];
for (let round = 0; round < Number(values.rounds); round += 1) {
  const [without = 0, withIt = 0] = [await measure(servers[0] ?? never()), await measure(servers[1] ?? never())];
  ratios.push(withIt / without);
  process.stdout.write(
    `${without.toFixed(1)} µs without, ${withIt.toFixed(1)} µs with admission: ${(withIt / without).toFixed(3)}\n`,
  );
}
ratios.sort((a, b) => a - b);
process.stdout.write(`median ratio ${ratios[Math.floor(ratios.length / 2)]?.toFixed(3)}\n`);

// Alone, without the network.
const context = {
  method: '',
  header: () => headers[0]?.authorization,
  signal: new AbortController().signal,
  deadline: undefined,
};
const call = { ...context, peer: '192.0.2.1:5', address: '192.0.2.1', rawRequest: new Uint8Array() };
const served = servers[1]?.server.calls.find('/stockbroker.v1.TradingService/GetQuote') ?? never();
const started = process.cpuUsage();
for (let i = 0; i < 200_000; i += 1) await admission.admit({ ...call }, served);
process.stdout.write(`admission alone: ${(busy(started) / 200_000).toFixed(2)} µs a call\n`);

for (const { server, channel } of servers) {
  channel.close();
  await server.stop(1_000);
}
keys.stop();
rmSync(folder, { recursive: true });

function busy(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

function never(): never {
  throw new Error('there is no such server');
}
