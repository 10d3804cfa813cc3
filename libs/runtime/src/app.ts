import { setFlagsFromString } from 'node:v8';
import { type AdminServer, type Readiness, startAdmin } from './admin.ts';
import { ConfigError, type ConfigOf, describeVariables, integer, oneOf, readConfig, text, type Variables } from './config.ts';
import { createLog, LOG_LEVELS, type Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { measureReadiness } from './readinessMetric.ts';

/**
 * What lives in a process is less than 100 MB. V8 alone lets a loaded gateway take four times as much before it collects. It is told to
 * collect after less growth of the old part; how large the young part may be, only the command line can say: --max-semi-space-size=32.
 * Neither is a limit: a burst still gets what it needs (docs/performance.md).
 */
const V8_FLAG = '--heap-growing-percent=30';

/** What every app can be told. */
export const commonVariables = {
  LOG_LEVEL: oneOf('Least important level that is logged.', LOG_LEVELS, { default: 'info' }),
  ADMIN_HOST: text('Address for /livez, /readyz and /metrics.', { default: '127.0.0.1' }),
  ADMIN_PORT: integer('Port for /livez, /readyz and /metrics; 0 takes a free one.', { min: 0, max: 65_535 }, { default: '0' }),
  DRAIN_TIMEOUT_MS: integer(
    'How long a stopping process may take to finish what it began, before it exits with code 1.',
    { min: 100, max: 600_000 },
    { default: '10000' },
  ),
} satisfies Variables;

/** A started app. `stop` finishes what was begun and gives everything back. */
export interface RunningApp {
  readiness: Readiness;
  /** Told to the parent process and logged when started, e.g. ports. */
  endpoints: Record<string, string>;
  stop(): Promise<void>;
}

/** An app's own configuration and what every app has. */
export type AppConfig<V extends Variables> = ConfigOf<V> & ConfigOf<typeof commonVariables>;

export interface AppContext<C> {
  config: C;
  log: Log;
  metrics: Metrics;
  /** For a fault that only a restart mends: logs it, stops and exits with code 1. */
  fail(error: Error): void;
}

/**
 * The one way a process starts and stops: reads the configuration (exit code 78 with every problem when it is wrong), starts,
 * serves the admin port, stops on SIGTERM or SIGINT. An unhandled error ends the process with code 1: a restart is safe
 * everywhere, a process in an unknown state is not.
 */
export async function runApp<V extends Variables>(
  name: string,
  variables: V,
  start: (context: AppContext<AppConfig<V>>) => Promise<RunningApp>,
): Promise<void> {
  const all = { ...commonVariables, ...variables };
  if (process.argv.includes('--help')) {
    say(process.stdout, `${name}: configured by environment variables.\n\n${describeVariables(all)}\n`);
    return;
  }
  const config = readConfigOrExit(name, all) as AppConfig<V>;
  setFlagsFromString(V8_FLAG);
  const metrics = createMetrics(name);
  const droppedLines = metrics.counter('log_lines_dropped_total', 'Lines that standard output did not take');
  const log = createLog(name, config.LOG_LEVEL, (lines) => droppedLines.inc(lines));

  let app: RunningApp | undefined;
  let admin: AdminServer | undefined;
  let stopping = false;
  const stop = async (why: string, exitCode: number) => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    const timer = setTimeout(() => {
      log.error({ drainTimeoutMs: config.DRAIN_TIMEOUT_MS }, 'not stopped in time, exiting');
      process.exit(1);
    }, config.DRAIN_TIMEOUT_MS);
    timer.unref();
    await app?.stop();
    await admin?.close();
    log.info('stopped');
    log.flush(() => process.exit(exitCode));
  };
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'failed');
    stop('failure', 1).catch(() => process.exit(1));
  };
  process.on('unhandledRejection', fail);
  process.on('uncaughtException', fail);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal, 0).catch(fail));
  // Started by a supervisor over an IPC channel: a supervisor that was killed must not leave processes behind.
  process.on('disconnect', () => stop('the supervisor is gone', 1).catch(fail));

  try {
    app = await start({ config, log, metrics, fail });
    const readiness = () => (stopping ? { process: 'stopping' } : (app?.readiness() ?? { process: 'starting' }));
    measureReadiness(metrics.registry, readiness);
    admin = await startAdmin({
      host: config.ADMIN_HOST,
      port: config.ADMIN_PORT,
      registry: metrics.registry,
      readiness,
    });
    const endpoints = { ...app.endpoints, admin: `http://${config.ADMIN_HOST}:${admin.port}` };
    log.info({ endpoints, pid: process.pid }, 'started');
    process.send?.({ started: name, endpoints });
  } catch (error) {
    fail(error);
  }
}

function readConfigOrExit<V extends Variables>(name: string, variables: V): ConfigOf<V> {
  try {
    return readConfig(name, variables, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    say(process.stderr, `${error.message}\nRun with --help for every variable.\n`);
    process.exit(78);
  }
}

/** A full disk or a reader that has gone changes nothing about how the process ends. */
function say(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  try {
    stream.write(text);
  } catch {
    // A file's stream throws instead.
  }
}
