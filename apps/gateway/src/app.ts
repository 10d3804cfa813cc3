import { Bus } from '@stockbroker/bus';
import { createExchangeClient, openExchangeTls, quoteRules } from '@stockbroker/exchange-client';
import { GrpcServer, methodPaths, openServerTls, REFUSED, type Refused, WebServer } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import {
  type AppContext,
  combinations,
  type RunningApp,
  readServerLimits,
  startProbe,
  systemClock,
  systemRandom,
} from '@stockbroker/runtime';
import { openStore } from '@stockbroker/store';
import { Changes, EVENT_KINDS, reportTo } from '@stockbroker/trade-flow';
import type { GatewayConfig } from './config.ts';
import { toRpcError } from './errors.ts';
import { followInstruments } from './instruments.ts';
import { openAdmission } from './openAdmission.ts';
import { followPrices } from './prices.ts';
import { Pulse } from './pulse.ts';
import { servePage } from './servePage.ts';
import { tradingService } from './tradingService.ts';
import { watchDatabase } from './watchDatabase.ts';
import { createWatching } from './watching.ts';

/** A change of a quote is told at most this often. */
const QUOTES_EVERY_MS = 250;

/** Takes customers' calls. Any number of gateways run side by side, and none keeps anything that another would miss. */
export async function startGateway({ config, log, metrics, fail }: AppContext<GatewayConfig>): Promise<RunningApp> {
  const identity = await openAdmission(config, log, metrics);
  const { admission } = identity;
  const tls = await openServerTls({ cert: config.GATEWAY_TLS_CERT, key: config.GATEWAY_TLS_KEY, ca: '' }, { log, metrics });
  const exchangeTls = await openExchangeTls(config, { log, metrics });
  const store = await openStore(config, log, metrics);
  const bus = new Bus({ config, name: 'gateway', database: await store.readIdentity(), log, metrics, fail });
  const exchange = createExchangeClient({
    address: config.EXCHANGE_ADDRESS,
    apiKey: config.EXCHANGE_API_KEY,
    tls: exchangeTls,
    timeoutMs: config.EXCHANGE_TIMEOUT_MS,
    quoteWaitMs: config.QUOTE_WAIT_MS,
    quoteRules: quoteRules(config),
    now: store.now,
    log,
    metrics,
  });
  const instruments = followInstruments(exchange, log);
  const prices = followPrices(exchange.quotes);
  const stopping = new AbortController();
  const changes = new Changes({
    store,
    news: bus,
    clock: systemClock,
    onProblem: (error) => log.debug({ err: error }, 'customers’ revisions not read'),
  });
  const watching = createWatching({
    store,
    changes,
    quotes: exchange.quotes,
    pulse: new Pulse(QUOTES_EVERY_MS),
    partitions: config.PARTITIONS,
    patienceMs: config.GATEWAY_PATIENCE_MS,
    stopping: stopping.signal,
  });
  const events = metrics.counter('trade_events_total', 'What happened to trades', { kind: EVENT_KINDS });
  const calls = metrics.histogram('rpc_server_seconds', 'Duration of calls', {
    labels: ['method', 'code'],
    kinds: combinations({ method: methodPaths(TradingServiceDefinition), code: ['OK', 'INTERNAL'] }),
  });
  const refused = metrics.counter('server_refused_total', 'Connections and requests ended for breaking a limit', {
    why: REFUSED,
  });
  const edge = {
    host: config.GATEWAY_HOST,
    tls,
    maxRequestBytes: config.GATEWAY_MAX_BYTES,
    proxyHeader: config.GATEWAY_PROXY_PROTOCOL === 'v2',
    limits: { ...readServerLimits('GATEWAY', config), maxConnectionAgeMs: config.GATEWAY_MAX_CONNECTION_AGE_MS },
    onRefused: (why: Refused) => refused.inc({ why }),
  };
  const server = new GrpcServer({
    ...edge,
    port: config.GATEWAY_PORT,
    trustedHops: config.GATEWAY_TRUSTED_HOPS,
    admit: admission.admit,
    maxInFlight: config.GATEWAY_MAX_IN_FLIGHT,
    toRpcError: (error, method) => toRpcError(error, (unexpected) => log.error({ err: unexpected, method }, 'call failed')),
    onCall: (method, code, seconds) => calls.observe({ method, code }, seconds),
  });
  server.add(
    TradingServiceDefinition,
    tradingService({
      admission,
      store,
      exchange,
      instruments,
      prices,
      watching,
      partitions: config.PARTITIONS,
      patienceMs: config.GATEWAY_PATIENCE_MS,
      place: {
        store,
        wakeups: bus,
        clock: { now: store.now, sleep: systemClock.sleep },
        random: systemRandom,
        observe: reportTo(log, (kind) => events.inc({ kind })),
      },
    }),
  );
  const web = new WebServer({
    ...edge,
    port: config.GATEWAY_WEB_PORT,
    trustedHops: config.GATEWAY_WEB_TRUSTED_HOPS,
    calls: server.calls,
    maxArriving: config.GATEWAY_MAX_IN_FLIGHT,
    allowedOrigins: config.GATEWAY_WEB_ORIGINS,
    ...servePage({
      root: config.GATEWAY_WEB_ROOT,
      issuer: config.AUTH_ISSUER,
      clientId: config.GATEWAY_WEB_CLIENT_ID,
      signInOrigins: config.GATEWAY_WEB_SIGN_IN_ORIGINS,
      isSecure: tls !== undefined,
    }),
  });
  metrics.gauge('gateway_watched_customers', 'Customers whose trades somebody watches', () => changes.customers);
  metrics.gauge('server_streams', 'Open calls that answer with a stream', () => server.load.streams);
  metrics.gauge('server_connections', 'Open connections', () => server.load.connections + web.connections);
  metrics.gauge('server_calls', 'Open calls that answer with one message', () => server.load.calls);
  const port = await server.listen();
  const webPort = await web.listen();
  const database = startProbe(store.probe);
  const health = watchDatabase(store, metrics);
  server.setServing(true);
  return {
    endpoints: {
      grpc: `${config.GATEWAY_HOST}:${port}`,
      web: `http${tls === undefined ? '' : 's'}://${config.GATEWAY_HOST}:${webPort}`,
    },
    // Trades are accepted without NATS and without the exchange, but not without the database, nor without keys to check tokens with.
    readiness: () => ({ database: database.problem(), issuer: identity.problem() }),
    stop: async () => {
      stopping.abort();
      await Promise.all([server.stop(config.DRAIN_TIMEOUT_MS / 2), web.stop(config.DRAIN_TIMEOUT_MS / 2)]);
      identity.stop();
      instruments.stop();
      prices.stop();
      await changes.stop();
      await exchange.close();
      await bus.close();
      database.stop();
      health.stop();
      tls?.stop();
      exchangeTls?.stop();
      await store.close();
    },
  };
}
