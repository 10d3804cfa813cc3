import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AppName, AppProcess } from './appProcess.ts';
import { AUDIENCE, ISSUER, type Issuer, openIssuer } from './identity.ts';
import { freePort, isPortFree } from './serverProcess.ts';

export interface SystemOptions {
  /** For keys, logs and the exchange's journal; kept between starts. */
  dataDir: string;
  /** Of a migrated database. When it is promised, the processes load meanwhile, and start when it is there. */
  databaseUrl: string | Promise<string>;
  natsUrl: string | Promise<string>;
  /** How many of each; by default one gateway, three workers, one callback. */
  gateways?: number;
  workers?: number;
  callbacks?: number;
  /** True: the documented ports where they are free. False: any free ones. */
  standardPorts?: boolean;
  /** Processes that end by themselves are started again. */
  restart?: boolean;
  /** Folder with <app>.mjs of each app, as built for production; default: the apps' sources. */
  bundles?: string;
  /** Environment of one app, over the defaults. */
  env?: Partial<Record<AppName, Record<string, string>>>;
  onEvent?: (line: string) => void;
}

/** The broker's and the exchange's processes, on a database and a NATS server that others run. */
export interface System {
  gateways: AppProcess[];
  workers: AppProcess[];
  callbacks: AppProcess[];
  exchange: AppProcess;
  issuer: Issuer;
  /** host:port of the first gateway. */
  gatewayAddress: string;
  exchangeAddress: string;
  exchangeApiKey: string;
  callbackSecret: string;
  callbackUrl: string;
  /** Starts all; each stage is ready before the next needs it. @throws when one fails, or when it is stopped meanwhile */
  start(): Promise<void>;
  /** Starts one more worker, with more environment than the others have. */
  addWorker(env?: Record<string, string>): Promise<AppProcess>;
  /** Stops everything in order: no new trades, then what is under way, then the exchange. */
  stop(): Promise<void>;
  /** Ends everything at once, as a power cut would. */
  kill(): Promise<void>;
}

interface Secrets {
  exchangeApiKey: string;
  callbackSecret: string;
}

const STANDARD_PORTS = { gateway: 50051, exchange: 50060, callbackHttp: 50070, callbackGrpc: 50071 };

export async function startSystem(options: SystemOptions): Promise<System> {
  const system = await createSystem(options);
  try {
    await system.start();
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

/** The same, with no process running yet: so that a start under way can be stopped. */
export async function createSystem(options: SystemOptions): Promise<System> {
  const { dataDir, standardPorts = false } = options;
  mkdirSync(dataDir, { recursive: true });
  const secrets = openSecrets(join(dataDir, 'secrets.json'));
  const issuer = await openIssuer(join(dataDir, 'issuer'));
  const port = (standard: number) => choosePort(standardPorts ? standard : undefined);
  const exchangePort = await port(STANDARD_PORTS.exchange);
  const callbackPort = await port(STANDARD_PORTS.callbackHttp);
  const exchangeAddress = `127.0.0.1:${exchangePort}`;
  const callbackUrl = `http://127.0.0.1:${callbackPort}/v1/callbacks`;
  const servers = Promise.all([options.databaseUrl, options.natsUrl]);
  const withServers = async (env: Record<string, string>) => {
    const [databaseUrl, natsUrl] = await servers;
    return { DATABASE_URL: databaseUrl, NATS_URL: natsUrl, ...env };
  };
  const exchangeEnv = { EXCHANGE_ADDRESS: exchangeAddress, EXCHANGE_API_KEY: secrets.exchangeApiKey };

  type Env = Record<string, string>;
  const create = (app: AppName, name: string, env: Env | Promise<Env>, more: Env = {}) =>
    new AppProcess({
      name,
      app,
      ...(options.bundles === undefined ? {} : { main: join(options.bundles, `${app}.mjs`) }),
      env: Promise.resolve(env).then((own) => ({ ...own, ...options.env?.[app], ...more })),
      logFile: join(dataDir, 'logs', `${name}.log`),
      restart: options.restart ?? false,
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    });
  const exchange = create('exchange', 'exchange', {
    EXCHANGE_PORT: String(exchangePort),
    EXCHANGE_DATA_DIR: join(dataDir, 'exchange'),
    EXCHANGE_API_KEY: secrets.exchangeApiKey,
    EXCHANGE_CALLBACK_SECRET: secrets.callbackSecret,
    EXCHANGE_SIMULATOR_SERVICE: 'on',
  });
  const callbacks = await Promise.all(
    range(options.callbacks ?? 1).map(async (i) => {
      const httpPort = i === 0 ? callbackPort : await freePort();
      const grpcPort = i === 0 ? await port(STANDARD_PORTS.callbackGrpc) : await freePort();
      const env = withServers({
        CALLBACK_SECRETS: secrets.callbackSecret,
        CALLBACK_HTTP_PORT: String(httpPort),
        CALLBACK_GRPC_PORT: String(grpcPort),
      });
      return create('callback', `callback-${i + 1}`, env);
    }),
  );
  const createWorker = (i: number, more?: Env) => {
    const env = withServers({ ...exchangeEnv, CALLBACK_URL: callbackUrl, WORKER_NAME: `worker-${i + 1}` });
    return create('worker', `worker-${i + 1}`, env, more);
  };
  const workers = range(options.workers ?? 3).map((i) => createWorker(i));
  const gatewayPorts = await Promise.all(
    range(options.gateways ?? 1).map((i) => (i === 0 ? port(STANDARD_PORTS.gateway) : freePort())),
  );
  const gateways = gatewayPorts.map((gatewayPort, i) => {
    const auth = { AUTH_JWKS: issuer.jwksFile, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE };
    return create('gateway', `gateway-${i + 1}`, withServers({ ...exchangeEnv, GATEWAY_PORT: String(gatewayPort), ...auth }));
  });
  const start = async () => {
    if (options.databaseUrl instanceof Promise) for (const app of [...callbacks, ...workers, ...gateways]) app.preload();
    await Promise.all([exchange.start(), ...callbacks.map((app) => app.start())]);
    options.onEvent?.('exchange and callback are ready');
    await Promise.all([...workers, ...gateways].map((app) => app.start()));
    options.onEvent?.(`${counted(workers.length, 'worker')} and ${counted(gateways.length, 'gateway')} ready`);
  };
  return {
    gateways,
    workers,
    callbacks,
    exchange,
    issuer,
    gatewayAddress: `127.0.0.1:${gatewayPorts[0]}`,
    exchangeAddress,
    exchangeApiKey: secrets.exchangeApiKey,
    callbackSecret: secrets.callbackSecret,
    callbackUrl,
    start,
    addWorker: async (more) => {
      const worker = createWorker(workers.length, more);
      workers.push(worker);
      await worker.start();
      return worker;
    },
    stop: async () => {
      for (const group of [gateways, workers, callbacks, [exchange]]) await Promise.all(group.map((app) => app.stop()));
    },
    kill: async () => {
      await Promise.all([...gateways, ...workers, ...callbacks, exchange].map((app) => app.stop(0)));
    },
  };
}

/** The exchange retries old callbacks and knows old keys after a restart, so the secrets outlive it too. */
function openSecrets(file: string): Secrets {
  if (!existsSync(file)) {
    const secrets: Secrets = {
      exchangeApiKey: randomBytes(24).toString('base64url'),
      callbackSecret: `whsec_${randomBytes(32).toString('base64')}`,
    };
    writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
}

async function choosePort(wanted: number | undefined): Promise<number> {
  return wanted !== undefined && (await isPortFree(wanted)) ? wanted : freePort();
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
