import { join, relative } from 'node:path';
import { demoCustomers, issuerFolder } from '@stockbroker/testkit/processes';
import { formatUsd } from '@stockbroker/trading';
import { appSettings, type Broker, BrokerProcesses, natsSettings } from './brokerProcesses.ts';
import { buildPage } from './buildPage.ts';
import { dollars, readArguments, readDatabaseUrl, readPartitions, runTool, stopSignal, table } from './cli.ts';
import { claimData, dataFolder, isDefaultFolder, removeConnection, writeConnection } from './devFolder.ts';
import { withoutPassword } from './prepareServers.ts';
import { Progress } from './progress.ts';

const HELP = `npm start: runs the whole broker on this machine until Ctrl-C: PostgreSQL, nats-server, the simulated exchange,
the callback server, three workers and a gateway. Migrates the database and opens the demo customers' accounts first.

  npm start -- [options]
    --data-dir DIR  where data, keys and logs are kept; default: STOCKBROKER_DATA_DIR, or .stockbroker/dev of this checkout
    --help          this text

Environment:
  DATABASE_URL      uses this PostgreSQL database instead of starting a server
  NATS_URL          uses these NATS servers (with JetStream) instead of starting one, with NATS_PREFIX, NATS_REPLICAS and NATS_*_FILE
  PARTITIONS        partitions of a new database; default 100
  GATEWAY_TLS_CERT, GATEWAY_TLS_KEY  PEM files: the gateway speaks TLS
  LOG_LEVEL, MARKET_HOURS, LEASE_TTL_MS, EXCHANGE_LATENCY_MAX_MS and most other settings of the apps are passed on to them. npm start
  chooses ports, addresses and secrets itself: the standard ports where they are free.

Ctrl-C stops everything gracefully, a second Ctrl-C at once; nothing is lost either way. To start over: npm run db:reset
`;

await runTool(async () => {
  const { values } = readArguments(HELP, { 'data-dir': { type: 'string' } });
  const partitions = readPartitions();
  const dataDir = dataFolder(values['data-dir']);
  const release = claimData(dataDir);
  try {
    await run(dataDir, partitions);
  } finally {
    release();
  }
  return 0;
}, 'go on');

async function run(dataDir: string, partitions: number): Promise<void> {
  const progress = new Progress(process.stdout);
  let prefix = () => progress.elapsed().padStart(7);
  const processes = new BrokerProcesses({
    dataDir,
    databaseUrl: readDatabaseUrl(),
    natsUrl: process.env.NATS_URL || undefined,
    partitions,
    accounts: demoCustomers,
    standardPorts: true,
    page: buildPage,
    people: demoCustomers,
    settings: { ...appSettings(process.env), ...natsSettings(process.env) },
    onEvent: (line) => progress.line(`${prefix()}  ${line}`),
  });
  const stopping = stopSignal(() => {
    void processes.kill().finally(() => process.exit(130));
  });
  progress.live(() => `${prefix()}  starting…`);
  try {
    const broker = await Promise.race([processes.start(), stopping.requested]);
    progress.end();
    if (broker === undefined) return;
    writeConnection(dataDir, {
      pid: process.pid,
      gateway: gatewayOf(broker),
      databaseUrl: broker.databaseUrl,
      natsUrl: broker.natsUrl,
      exchangeAddress: broker.system.exchangeAddress,
      exchangeApiKey: broker.system.exchangeApiKey,
      issuerDir: issuerFolder(dataDir),
      issuer: broker.system.issuer.name,
    });
    progress.line(`${prefix()}  ready\n\n${banner(broker, dataDir)}\n`);
    prefix = () => new Date().toTimeString().slice(0, 8);
    await stopping.requested;
  } finally {
    progress.end();
    removeConnection(dataDir);
    if (stopping.isRequested()) progress.line('Stopping. Ctrl-C again ends everything at once.');
    await processes.stop();
    if (stopping.isRequested()) progress.line('Stopped. Everything is kept for the next start.');
  }
}

/**
 * For gRPC: host:port, and https://localhost:port when it speaks TLS, as its other port does then too: certificates are of names,
 * and Node warns of addresses.
 */
function gatewayOf({ system }: Broker): string {
  const isSecure = system.gateways[0]?.endpoints.web?.startsWith('https:') ?? false;
  return isSecure ? `https://${system.gatewayAddress.replace('127.0.0.1', 'localhost')}` : system.gatewayAddress;
}

function banner(broker: Broker, dataDir: string): string {
  const folder = isDefaultFolder(dataDir) ? '' : ` --data-dir ${dataDir}`;
  return `The broker is running. Ctrl-C stops it.

${indented(endpoints(broker, dataDir))}

${indented(customers(broker))}

Trade in the browser at ${broker.system.gateways[0]?.endpoints.web} or, in another terminal:
  npm run trade -- buy AAPL 10 --customer alice${folder}`;
}

function endpoints(broker: Broker, dataDir: string): string {
  const { system, databaseUrl, natsUrl, issuer } = broker;
  const apps = [...system.gateways, ...system.workers, ...system.callbacks, system.exchange];
  const [gateway] = system.gateways;
  const [callback] = system.callbacks;
  const ownDatabase = readDatabaseUrl() ? withoutPassword(databaseUrl) : databaseUrl;
  const ownNats = process.env.NATS_URL ? natsUrl.replaceAll(/\/\/[^@,/]*@/g, '//') : natsUrl;
  return table([
    ['page', `${gateway?.endpoints.web} (trade in the browser)`],
    ['gateway', `${gatewayOf(broker)} (gRPC) and ${gateway?.endpoints.web} (gRPC-Web and JSON)`],
    ['issuer', `${issuer?.url} (OpenID Connect, for the page)`],
    ['exchange', `${system.exchangeAddress} (gRPC)`],
    ['callback', `${callback?.endpoints.http} and ${callback?.endpoints.grpc}`],
    ['database', ownDatabase],
    ['NATS', ownNats],
    ['logs', shortest(join(dataDir, 'logs'))],
    ...apps.map((app, i) => [i === 0 ? 'admin' : '', `${app.endpoints.admin}/metrics (${app.name}; also /livez, /readyz)`]),
  ]);
}

function customers({ accounts }: Broker): string {
  const byId = new Map(accounts.map((account) => [account.customerId, account]));
  const rows = demoCustomers.flatMap(({ name, customerId }) => {
    const account = byId.get(customerId);
    if (account === undefined) return [];
    const shares = account.positions.map(({ stockTicker, quantity }) => `${quantity} ${stockTicker}`).join(', ');
    return [[name, customerId, dollars(formatUsd(account.amount)), shares]];
  });
  return table([['customer', 'id', 'cash', 'shares'], ...rows], [2]);
}

function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
