import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppName } from './appProcess.ts';
import { Broker, type ClientTls } from './broker.ts';
import { NO_CALL_LIMITS } from './callLimits.ts';
import type { FixedQuote } from './exchangeActor.ts';
import type { Issuer } from './identity.ts';
import { startNats } from './natsServer.ts';
import { freePort } from './serverProcess.ts';
import { type System, startSystem } from './system.ts';

export interface BrokerOptions {
  /** A migrated database without customers. */
  databaseUrl: string;
  /** Processes of each kind; by default one. */
  gateways?: number;
  workers?: number;
  callbacks?: number;
  /** What the exchange's callbacks go over; by default HTTP. */
  callbacksOver?: 'http' | 'grpc';
  /** Fixed before the first worker looks at them. All other prices stand still. */
  quotes?: Record<string, FixedQuote>;
  /** Environment of an app, over the defaults below. */
  env?: Partial<Environment>;
  /** See SystemOptions. */
  issuer?: Issuer;
  /** See SystemOptions. */
  bundles?: string;
  /** NATS that the caller runs, e.g. a cluster; default: a server of the broker's own. */
  natsUrl?: string;
  /** Of the tests' own clients, when `env` gives the servers certificates. */
  tls?: ClientTls;
}

type Environment = Record<AppName, Record<string, string>>;

const SMALL_POOL = { DATABASE_POOL: '5' };
/** A test's quotes are far from those that the exchange begins with. */
const ANY_QUOTE = { QUOTE_MAX_MOVE: '0' };
const DEFAULT_ENV: Environment = {
  exchange: {
    EXCHANGE_MANUAL: 'on',
    EXCHANGE_TICK_MS: '0',
    EXCHANGE_LATENCY_MIN_MS: '0',
    EXCHANGE_LATENCY_MAX_MS: '0',
    EXCHANGE_CALLBACK_BACKOFF_MAX_MS: '500',
  },
  gateway: { ...SMALL_POOL, ...ANY_QUOTE, ...NO_CALL_LIMITS },
  callback: SMALL_POOL,
  worker: { ...SMALL_POOL, ...ANY_QUOTE },
};

/**
 * A broker and its exchange as processes of their own, with a nats-server of their own, on free ports, for tests to trade with
 * and to break.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-broker-'));
  const nats = options.natsUrl === undefined ? await startNats({ storeDir: join(folder, 'nats') }) : undefined;
  let system: System | undefined;
  try {
    system = await startSystem({
      dataDir: join(folder, 'system'),
      databaseUrl: options.databaseUrl,
      natsUrl: nats?.url ?? options.natsUrl ?? '',
      gateways: options.gateways ?? 1,
      workers: 0,
      callbacks: options.callbacks ?? 1,
      env: await environment(options),
      ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
      ...(options.bundles === undefined ? {} : { bundles: options.bundles }),
    });
    const broker = new Broker({ folder, databaseUrl: options.databaseUrl, nats, system, tls: options.tls });
    await Promise.all(Object.entries(options.quotes ?? {}).map(([ticker, quote]) => broker.exchange.quotes(ticker, quote)));
    await Promise.all(Array.from({ length: options.workers ?? 1 }, () => broker.system.addWorker()));
    return broker;
  } catch (error) {
    await system?.stop();
    await nats?.stop();
    throw error;
  }
}

async function environment({ env, callbacksOver }: BrokerOptions): Promise<Environment> {
  const merged = { ...DEFAULT_ENV };
  for (const app of ['exchange', 'callback', 'worker', 'gateway'] as const) merged[app] = { ...merged[app], ...env?.[app] };
  if (callbacksOver !== 'grpc') return merged;
  const port = String(await freePort());
  merged.callback = { ...merged.callback, CALLBACK_GRPC_PORT: port };
  merged.worker = { ...merged.worker, CALLBACK_URL: `grpc://127.0.0.1:${port}` };
  return merged;
}
