import { Bus } from '@stockbroker/bus';
import { GrpcServer, REFUSED, type Refused, STATUS_NAMES } from '@stockbroker/rpc';
import { CallbackServiceDefinition } from '@stockbroker/rpc/exchange';
import { type AppContext, type RunningApp, readServerLimits, startProbe } from '@stockbroker/runtime';
import { openStore } from '@stockbroker/store';
import { EVENT_KINDS, reportTo } from '@stockbroker/trade-flow';
import { type CallbackPorts, takeGrpcCallback, takeHttpCallback, toRpcError } from './callbacks.ts';
import type { CallbackConfig } from './config.ts';
import { HTTP_ANSWERS, startHttpServer } from './httpServer.ts';

const CALLBACK_PATH = '/v1/callbacks';

/** Takes the exchange's callbacks over HTTP and gRPC and settles trades. Answers with success only after the commit. */
export async function startCallback({ config, log, metrics, fail }: AppContext<CallbackConfig>): Promise<RunningApp> {
  const store = await openStore(config, log, metrics);
  const bus = new Bus({ config, name: 'callback', database: await store.readIdentity(), log, metrics, fail });
  const events = metrics.counter('trade_events_total', 'What happened to trades', { kind: EVENT_KINDS });
  const answers = metrics.counter('callback_answers_total', 'Callbacks answered, by HTTP status or gRPC code', {
    answer: [...HTTP_ANSWERS, ...STATUS_NAMES],
  });
  const ports: CallbackPorts = {
    store,
    wakeups: bus,
    clock: { now: store.now },
    observe: reportTo(log, (kind) => events.inc({ kind })),
    keys: config.CALLBACK_SECRETS,
    onFailure: (error) => log.error({ err: error }, 'callback failed'),
  };
  const refused = metrics.counter('server_refused_total', 'Connections and requests ended for breaking a limit', {
    why: REFUSED,
  });
  const limits = { ...readServerLimits('CALLBACK', config), maxConnectionAgeMs: config.CALLBACK_MAX_CONNECTION_AGE_MS };
  const onRefused = (why: Refused) => refused.inc({ why });
  const http = await startHttpServer({
    host: config.CALLBACK_HOST,
    port: config.CALLBACK_HTTP_PORT,
    path: CALLBACK_PATH,
    maxBytes: config.CALLBACK_MAX_BYTES,
    maxInFlight: config.CALLBACK_MAX_IN_FLIGHT,
    maxConnections: limits.maxConnections,
    requestTimeoutMs: limits.requestTimeoutMs,
    idleTimeoutMs: limits.idleTimeoutMs,
    stallTimeoutMs: limits.stallTimeoutMs,
    onRefused,
    handle: (header, body) => takeHttpCallback(ports, header, body),
    onAnswer: (status) => answers.inc({ answer: `${status}` }),
  });
  const grpc = new GrpcServer({
    host: config.CALLBACK_HOST,
    port: config.CALLBACK_GRPC_PORT,
    maxRequestBytes: config.CALLBACK_MAX_BYTES,
    maxInFlight: config.CALLBACK_MAX_IN_FLIGHT,
    limits,
    onRefused,
    toRpcError: (error) => toRpcError(ports, error),
    onCall: (_method, code) => answers.inc({ answer: code }),
  });
  grpc.add(
    CallbackServiceDefinition,
    {
      reportOrders: async (request, context) => {
        await takeGrpcCallback(ports, context.header, context.rawRequest, request);
        return {};
      },
    },
    {
      onMalformed: async (context) => {
        await takeGrpcCallback(ports, context.header, context.rawRequest, null);
        return {};
      },
    },
  );
  metrics.gauge('server_connections', 'Open connections', () => http.load().connections + grpc.load.connections);
  const grpcPort = await grpc.listen();
  const database = startProbe(store.probe);
  grpc.setServing(true);
  return {
    endpoints: {
      http: `http://${config.CALLBACK_HOST}:${http.port}${CALLBACK_PATH}`,
      grpc: `grpc://${config.CALLBACK_HOST}:${grpcPort}`,
    },
    // Without NATS callbacks are settled all the same; the lanes notice by asking.
    readiness: () => ({ database: database.problem() }),
    stop: async () => {
      await Promise.all([http.close(), grpc.stop(config.DRAIN_TIMEOUT_MS / 2)]);
      await bus.close();
      database.stop();
      await store.close();
    },
  };
}
