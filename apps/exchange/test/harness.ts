import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { GrpcServer, RpcChannel, type RpcClient, RpcError, Status } from '@stockbroker/rpc';
import {
  CallbackServiceDefinition,
  ExchangeServiceDefinition,
  type JournalEntry,
  type Order,
  type OrderReport,
  ReportOrdersRequest,
  Side,
  SimulatorServiceDefinition,
} from '@stockbroker/rpc/exchange';
import { sleep } from '@stockbroker/runtime';
import { PATIENCE } from '@stockbroker/testkit/patience';

const MAIN = join(import.meta.dirname, '../src/main.ts');
export const API_KEY = 'test-key';
export const CALLBACK_SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const DEADLINE_MS = 60_000 * PATIENCE;
/** For calls with many orders, on a machine that is busy with other tests. */
export const SLOW = { timeoutMs: 60_000 * PATIENCE };

export interface TestExchange {
  address: string;
  dataDir: string;
  orders: RpcClient<typeof ExchangeServiceDefinition>;
  simulator: RpcClient<typeof SimulatorServiceDefinition>;
  /** Its journal. */
  journal(): Promise<JournalEntry[]>;
  /** The process's admin page. */
  admin: string;
  kill(): Promise<void>;
  stop(): Promise<number | null>;
}

/** A real exchange process: no latency, prices that stand still, fast retries, unless told otherwise. */
export async function startExchange(env: Record<string, string> = {}, dataDir = newDataDir()): Promise<TestExchange> {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      TMPDIR: tmpdir(),
      EXCHANGE_PORT: '0',
      EXCHANGE_DATA_DIR: dataDir,
      EXCHANGE_API_KEY: API_KEY,
      EXCHANGE_CALLBACK_SECRET: CALLBACK_SECRET,
      EXCHANGE_SIMULATOR_SERVICE: 'on',
      EXCHANGE_LATENCY_MIN_MS: '0',
      EXCHANGE_LATENCY_MAX_MS: '0',
      EXCHANGE_TICK_MS: '0',
      EXCHANGE_RESTATE_MS: '0',
      EXCHANGE_CALLBACK_BACKOFF_MAX_MS: '200',
      // What a busy machine answers late is not reported again.
      EXCHANGE_CALLBACK_TIMEOUT_MS: '60000',
      ...env,
    },
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  const endpoints = await endpointsOf(child);
  const channel = new RpcChannel(endpoints.grpc, { authorization: `Bearer ${API_KEY}` });
  const simulator = channel.client(SimulatorServiceDefinition, SLOW.timeoutMs);
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    channel.close();
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    return child.exitCode;
  };
  return {
    address: endpoints.grpc,
    admin: endpoints.admin,
    dataDir,
    orders: channel.client(ExchangeServiceDefinition, SLOW.timeoutMs),
    simulator,
    journal: async () => {
      const journal: JournalEntry[] = [];
      for await (const { entries } of simulator.listOrders({})) journal.push(...entries);
      return journal;
    },
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
  };
}

async function endpointsOf(child: ChildProcess): Promise<{ grpc: string; admin: string }> {
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the exchange did not start, exit code ${code}`);
  });
  const [message] = await Promise.race([once(child, 'message'), exited]);
  return (message as { endpoints: { grpc: string; admin: string } }).endpoints;
}

function newDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'exchange-test-'));
  dataDirs.push(dataDir);
  return dataDir;
}

const dataDirs: string[] = [];
const children = new Set<ChildProcess>();

/** Ends what is still running, and removes all journals. Each file of tests calls it last. */
export function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const dataDir of dataDirs.splice(0)) rmSync(dataDir, { recursive: true, force: true });
}

/** A buy of 10 AAPL that is filled, unless told otherwise. */
export function order(callbackUrl: string, change: Partial<Order> = {}): Order {
  const base = {
    clientOrderId: randomUUID(),
    ticker: 'AAPL',
    side: Side.SIDE_BUY,
    quantity: 10,
    limitPrice: '1000.0000',
    attempt: 0,
  };
  return { ...base, callbackUrl, ...change };
}

/** One callback as a sink got it. */
interface Callback {
  headers: Record<string, string>;
  /** As it was signed. */
  body: Buffer;
  reports: OrderReport[];
}

export interface Sink {
  url: string;
  /** Those answered with success and the others. */
  callbacks: Callback[];
  /** Reports of the callbacks that were answered with success, in order of arrival. */
  reports(): OrderReport[];
  /** Answers from now on: an HTTP status, or never. */
  answer: (callback: Callback) => number | Promise<number>;
  close(): Promise<void>;
}

/** A broker's callback server, over HTTP. */
export async function httpSink(port = 0): Promise<Sink> {
  const delivered: OrderReport[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const { reports } = ReportOrdersRequest.fromJSON(JSON.parse(body.toString()));
    const callback = { headers: firstValues(request.headers), body, reports };
    sink.callbacks.push(callback);
    const status = await sink.answer(callback);
    if (status < 300) delivered.push(...reports);
    response.writeHead(status).end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const sink: Sink = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    callbacks: [],
    reports: () => delivered,
    answer: () => 200,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return sink;
}

/** A broker's callback server, over gRPC; any status but 200 becomes UNAVAILABLE. */
export async function grpcSink(): Promise<Sink> {
  const delivered: OrderReport[] = [];
  const options = { host: '127.0.0.1', port: 0, maxRequestBytes: 4_000_000, maxInFlight: 100 };
  const toRpcError = (error: unknown) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, String(error)));
  const server = new GrpcServer({ ...options, toRpcError });
  server.add(CallbackServiceDefinition, {
    async reportOrders({ reports }, context) {
      const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
      const headers = Object.fromEntries(names.map((name) => [name, context.header(name) ?? '']));
      const callback = { headers, body: Buffer.from(context.rawRequest), reports };
      sink.callbacks.push(callback);
      if ((await sink.answer(callback)) !== 200) throw new RpcError(Status.UNAVAILABLE, 'not now');
      delivered.push(...reports);
      return {};
    },
  });
  const port = await server.listen();
  const sink: Sink = {
    url: `grpc://127.0.0.1:${port}`,
    callbacks: [],
    reports: () => delivered,
    answer: () => 200,
    close: () => server.stop(100),
  };
  return sink;
}

function firstValues(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Asks until the answer is not undefined or false. */
export async function eventually<T>(what: string, ask: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await sleep(10);
  }
}
