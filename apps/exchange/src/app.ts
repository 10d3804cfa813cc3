import { GrpcServer, openServerTls, RpcError, Status } from '@stockbroker/rpc';
import { ExchangeServiceDefinition, SimulatorServiceDefinition } from '@stockbroker/rpc/exchange';
import {
  type AppConfig,
  type AppContext,
  type Log,
  OverloadedError,
  type RunningApp,
  readServerLimits,
  SeededRandom,
} from '@stockbroker/runtime';
import { requireApiKey } from './apiKey.ts';
import { type exchangeVariables, initialBehaviour } from './config.ts';
import { Exchange } from './exchange.ts';
import { exchangeService } from './exchangeService.ts';
import { Faults } from './faults.ts';
import { instruments } from './instruments.ts';
import { Journal } from './journal.ts';
import { Market } from './market.ts';
import { createExchangeMetrics } from './metrics.ts';
import { Reports } from './reports.ts';
import { Senders } from './sendReports.ts';
import { simulatorService } from './simulatorService.ts';

/** How long calls in flight may take when the process stops. */
const STOP_CALLS_MS = 5_000;
/** Failures of TLS are all counted; so often one of them is told in the log. */
const TLS_LINE_EVERY_MS = 1_000;

/** Wires and starts the exchange; what an earlier process left is taken up before the first call is. */
export async function startExchange(context: AppContext<AppConfig<typeof exchangeVariables>>): Promise<RunningApp> {
  const { config, log } = context;
  const random = new SeededRandom(config.EXCHANGE_SEED);
  const faults = new Faults(initialBehaviour(config), random);
  const metrics = createExchangeMetrics(context.metrics);
  const journal = new Journal(config.EXCHANGE_DATA_DIR);
  const market = new Market(instruments, random, config.EXCHANGE_TICK_MS, {
    restateMs: config.EXCHANGE_RESTATE_MS,
    isFrozen: () => faults.behaviour.freezeQuotes,
  });
  const senders = new Senders({ signingKey: config.EXCHANGE_CALLBACK_SECRET, timeoutMs: config.EXCHANGE_CALLBACK_TIMEOUT_MS });
  const backoff = { baseMs: config.EXCHANGE_CALLBACK_BACKOFF_BASE_MS, maxMs: config.EXCHANGE_CALLBACK_BACKOFF_MAX_MS };
  const reports = new Reports({ journal, senders, faults, random, backoff, metrics, log });
  const exchange = new Exchange({ journal, market, faults, reports, metrics, maxOpenOrders: config.EXCHANGE_MAX_OPEN_ORDERS });
  context.metrics.gauge('exchange_undelivered_reports', 'Orders accepted and not reported yet.', () => reports.owed());
  context.metrics.gauge('exchange_open_orders', 'Orders accepted and not completed yet.', () => exchange.openCount);

  const tls = await openServerTls(
    { cert: config.EXCHANGE_SERVER_TLS_CERT, key: config.EXCHANGE_SERVER_TLS_KEY, ca: config.EXCHANGE_SERVER_TLS_CLIENT_CA },
    context,
  );
  let toldMs = Number.NEGATIVE_INFINITY;
  const server = new GrpcServer({
    tls,
    host: config.EXCHANGE_HOST,
    port: config.EXCHANGE_PORT,
    maxRequestBytes: config.EXCHANGE_MAX_REQUEST_BYTES,
    maxInFlight: config.EXCHANGE_MAX_IN_FLIGHT,
    // No age: its members' quote streams stay, and each broken one would cost them a moment without quotes.
    limits: readServerLimits('EXCHANGE', config),
    onRefused: (why, detail) => {
      metrics.refused.inc({ why });
      // TLS tells a member little about why its certificate was refused, so it is logged; strangers who try must not fill the disk.
      if (detail === undefined || performance.now() - toldMs < TLS_LINE_EVERY_MS) return;
      toldMs = performance.now();
      log.warn({ detail }, 'a client’s TLS failed');
    },
    toRpcError: (error, method) => toRpcError(error, method, log),
    onCall: (method, code, seconds) => metrics.callSeconds.observe({ method, code }, seconds),
  });
  const stopping = new AbortController();
  const authorize = requireApiKey(config.EXCHANGE_API_KEY);
  const maxQuoteStreams = config.EXCHANGE_MAX_QUOTE_STREAMS;
  server.add(
    ExchangeServiceDefinition,
    exchangeService({ exchange, journal, market, faults, authorize, maxQuoteStreams, stopping: stopping.signal }),
  );
  if (config.EXCHANGE_SIMULATOR_SERVICE === 'on') {
    server.add(SimulatorServiceDefinition, simulatorService({ exchange, market, journal, faults, senders, authorize }));
  }

  reports.resume();
  exchange.resume();
  const port = await server.listen();
  server.setServing(true);
  return {
    readiness: () => ({}),
    endpoints: { grpc: `${config.EXCHANGE_HOST}:${port}` },
    stop: async () => {
      server.setServing(false);
      stopping.abort();
      await server.stop(STOP_CALLS_MS);
      tls?.stop();
      await exchange.close();
      market.stop();
      await reports.close();
      journal.close();
    },
  };
}

/** The only place where a failure becomes the error that a caller sees. */
function toRpcError(error: unknown, method: string, log: Log): RpcError {
  if (error instanceof RpcError) return error;
  if (error instanceof OverloadedError) {
    const { message, retryAfterMs } = error;
    return new RpcError(Status.RESOURCE_EXHAUSTED, message, { info: { reason: 'OVERLOADED' }, retryAfterMs }, { cause: error });
  }
  log.error({ err: error, method }, 'a call failed');
  return new RpcError(Status.INTERNAL, 'internal error', {}, { cause: error });
}
