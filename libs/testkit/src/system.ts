import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AppName, AppProcess } from './appProcess.ts';
import { type Gate, openGate } from './gate.ts';
import { AUDIENCE, type Issuer, openIssuer } from './identity.ts';
import { freePort, isPortFree } from './serverProcess.ts';

export interface SystemOptions {
  /** For keys, logs and the exchange's journal; kept between starts. */
  dataDir: string;
  /** Of a migrated database. When it is promised, the processes load meanwhile, and start when it is there. */
  databaseUrl: string | Promise<string>;
  natsUrl: string | Promise<string>;
  /** Another way to a server for the process of that name, e.g. "worker-2": a gate of its own, that can be cut. */
  databaseUrlOf?: (name: string) => string | undefined;
  natsUrlOf?: (name: string) => string | undefined;
  exchangeAddressOf?: (name: string) => string | undefined;
  /** How many of each; by default one gateway, three workers, one callback. Several callbacks get a balancer before them. */
  gateways?: number;
  workers?: number;
  callbacks?: number;
  /** True: the documented ports where they are free. False: any free ones. */
  standardPorts?: boolean;
  /** Processes that end by themselves are started again. */
  restart?: boolean;
  /** Folder with <app>.mjs of each app, as built for production; default: the apps' sources. */
  bundles?: string;
  /** One that can be reached at its name, and is asked for its keys; by default there is a file of keys. */
  issuer?: Issuer;
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
  /** Where the exchange reports to: the callback, or the balancer. */
  callbackUrl: string;
  /** The balancer before the callbacks' HTTP servers, when there are several. */
  callbackGate: Gate | undefined;
  /** Starts all; each stage is ready before the next needs it. @throws when one fails, or when it is stopped meanwhile */
  start(): Promise<void>;
  /** Starts one more worker, with more environment than the others have. */
  /** @param more where it logs to; by default into a file of its own beside the others */
  addWorker(env?: Record<string, string>, more?: { logFile?: string }): Promise<AppProcess>;
  /** Stops everything in order: no new trades, then what is under way, then the exchange. */
  stop(): Promise<void>;
  /** Ends everything at once, as a power cut would. */
  kill(): Promise<void>;
}

interface Secrets {
  exchangeApiKey: string;
  callbackSecret: string;
}

const STANDARD_PORTS = { gateway: 50051, gatewayWeb: 50052, exchange: 50060, callbackHttp: 50070, callbackGrpc: 50071 };

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
  const issuer = options.issuer ?? (await openIssuer(issuerFolder(dataDir)));
  const port = (standard: number) => choosePort(standardPorts ? standard : undefined);
  const exchangePort = await port(STANDARD_PORTS.exchange);
  const callbackPort = await port(STANDARD_PORTS.callbackHttp);
  const exchangeAddress = `127.0.0.1:${exchangePort}`;
  const callbackUrl = `http://127.0.0.1:${callbackPort}/v1/callbacks`;
  const servers = Promise.all([options.databaseUrl, options.natsUrl]);
  const withServers = async (name: string, env: Record<string, string>) => {
    const [databaseUrl, natsUrl] = await servers;
    return {
      DATABASE_URL: options.databaseUrlOf?.(name) ?? databaseUrl,
      NATS_URL: options.natsUrlOf?.(name) ?? natsUrl,
      ...env,
    };
  };
  const exchangeEnv = (name: string) => ({
    EXCHANGE_ADDRESS: options.exchangeAddressOf?.(name) ?? exchangeAddress,
    EXCHANGE_API_KEY: secrets.exchangeApiKey,
  });

  type Env = Record<string, string>;
  const create = (app: AppName, name: string, env: Env | Promise<Env>, more: Env = {}, logFile?: string) =>
    new AppProcess({
      name,
      app,
      ...(options.bundles === undefined ? {} : { main: join(options.bundles, `${app}.mjs`) }),
      env: Promise.resolve(env).then((own) => ({ ...own, ...options.env?.[app], ...more })),
      logFile: logFile ?? join(dataDir, 'logs', `${name}.log`),
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
  const callbackPorts = await Promise.all(
    range(options.callbacks ?? 1).map(() => ((options.callbacks ?? 1) > 1 ? freePort() : callbackPort)),
  );
  const callbackGrpcPort = await port(STANDARD_PORTS.callbackGrpc);
  const callbackGate =
    callbackPorts.length > 1
      ? await openGate({ port: callbackPort, targets: callbackPorts.map((each) => `127.0.0.1:${each}`) })
      : undefined;
  const callbacks = await Promise.all(
    callbackPorts.map(async (httpPort, i) => {
      const name = `callback-${i + 1}`;
      const grpcPort = i === 0 ? callbackGrpcPort : await freePort();
      const env = withServers(name, {
        CALLBACK_SECRETS: secrets.callbackSecret,
        CALLBACK_HTTP_PORT: String(httpPort),
        CALLBACK_GRPC_PORT: String(grpcPort),
      });
      return create('callback', name, env);
    }),
  );
  const createWorker = (i: number, more?: Env, logFile?: string) => {
    const name = `worker-${i + 1}`;
    const env = withServers(name, { ...exchangeEnv(name), CALLBACK_URL: callbackUrl, WORKER_NAME: name });
    return create('worker', name, env, more, logFile);
  };
  const workers = range(options.workers ?? 3).map((i) => createWorker(i));
  const gatewayPorts = await Promise.all(
    range(options.gateways ?? 1).map((i) => (i === 0 ? port(STANDARD_PORTS.gateway) : freePort())),
  );
  const webPort = await port(STANDARD_PORTS.gatewayWeb);
  const gateways = gatewayPorts.map((gatewayPort, i) => {
    const name = `gateway-${i + 1}`;
    const ports = { GATEWAY_PORT: String(gatewayPort), GATEWAY_WEB_PORT: i === 0 ? String(webPort) : '0' };
    // Who drives a whole system makes tokens that last.
    const jwks = options.issuer === undefined ? issuer.jwksFile : '';
    const auth = { AUTH_JWKS: jwks, AUTH_ISSUER: issuer.name, AUTH_AUDIENCE: AUDIENCE, AUTH_MAX_LIFETIME_S: '86400' };
    const env = withServers(name, { ...exchangeEnv(name), ...ports, ...auth });
    return create('gateway', name, env);
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
    callbackGate,
    start,
    addWorker: async (more, { logFile } = {}) => {
      const worker = createWorker(workers.length, more, logFile);
      workers.push(worker);
      await worker.start();
      return worker;
    },
    stop: async () => {
      for (const group of [gateways, workers, callbacks, [exchange]]) await Promise.all(group.map((app) => app.stop()));
      await callbackGate?.close();
    },
    kill: async () => {
      await Promise.all([...gateways, ...workers, ...callbacks, exchange].map((app) => app.stop(0)));
      await callbackGate?.close();
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

/** Where the issuer's keys are, in the data of a system. */
export function issuerFolder(dataDir: string): string {
  return join(dataDir, 'issuer');
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
