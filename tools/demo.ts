import { rmSync } from 'node:fs';
import { RpcChannel } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { checkBooks } from '@stockbroker/testkit';
import { NO_CALL_LIMITS } from '@stockbroker/testkit/processes';
import { keepFolder, openRunFolder } from '@stockbroker/testkit/runs';
import { appSettings, type Broker, BrokerProcesses } from './brokerProcesses.ts';
import { grouped, readArguments, runTool, type StopSignal, stopSignal, wholeNumber } from './cli.ts';
import { makePlans, type Plan } from './demoPlan.ts';
import { type DemoResult, problems, resultOf, resultTable } from './demoResult.ts';
import { pollRate, Sightings, Trader } from './demoTraders.ts';
import { Progress } from './progress.ts';

const HELP = `npm run demo: trades on a throw-away system (free ports, temporary data), then proves the books.

  npm run demo -- [options]
    --customers N  default 50
    --trades N     trades of all customers together; default 2000
    --workers N    default 3
    --gateways N   default 1
    --seed N       the same seed makes the same customers and orders; default 1
    --timeout S    gives up when no trade is placed and none ends for this long, in seconds; default 60
    --json         prints the result as one JSON document
    --help         this text

Each customer places random buys and sells over gRPC, a few open at a time, and retries calls that fail as a real client does. While the
demo runs, kill -9 any of the processes that it lists: it starts them again, and only time is lost. Settings of the apps in the
environment are passed on to them, e.g. EXCHANGE_REJECT_RATE=0.1.

Exit code: 0 when every trade has ended and the books are exact, else 1; the data are then kept for inspection.
`;

await runTool(async () => {
  const { values } = readArguments(HELP, {
    customers: { type: 'string', default: '50' },
    trades: { type: 'string', default: '2000' },
    workers: { type: 'string', default: '3' },
    gateways: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    timeout: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  });
  const customers = wholeNumber('--customers', values.customers, { min: 1, max: 100_000 });
  const trades = wholeNumber('--trades', values.trades, { min: 1, max: 10_000_000 });
  const workers = wholeNumber('--workers', values.workers, { min: 1, max: 50 });
  const gateways = wholeNumber('--gateways', values.gateways, { min: 1, max: 50 });
  const seed = wholeNumber('--seed', values.seed, { min: 0, max: 4_294_967_295 });
  const stalledMs = wholeNumber('--timeout', values.timeout, { min: 1, max: 86_400 }) * 1_000;

  const result = await run(makePlans(customers, trades, seed), { workers, gateways, stalledMs });
  if (result === undefined) return 130;
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : `${resultTable(result)}\n`);
  return problems(result).length === 0 ? 0 : 1;
});

interface Size {
  workers: number;
  gateways: number;
  stalledMs: number;
}

/** Undefined when the user has stopped it. */
async function run(plans: Plan[], { workers, gateways, stalledMs }: Size): Promise<DemoResult | undefined> {
  const dataDir = openRunFolder('demo');
  const progress = new Progress(process.stderr);
  const processes = new BrokerProcesses({
    dataDir,
    workers,
    gateways,
    partitions: 100,
    accounts: plans.map(({ account }) => account),
    settings: { ...NO_CALL_LIMITS, ...appSettings(process.env) },
    onEvent: (line) => progress.line(`${progress.elapsed().padStart(7)}  ${line}`),
  });
  const remove = () => {
    for (const folder of [...processes.dataFolders(), dataDir]) rmSync(folder, { recursive: true, force: true });
  };
  const stopping = stopSignal(() => {
    void processes.kill().finally(() => {
      remove();
      process.exit(130);
    });
  });
  let result: DemoResult | undefined;
  try {
    progress.live(() => `${progress.elapsed().padStart(7)}  starting…`);
    const broker = await Promise.race([processes.start(), stopping.requested]);
    if (broker === undefined) return undefined;
    progress.line(namesOf(broker));
    const seen = await trade(broker, plans, { progress, stopping, stalledMs });
    if (stopping.isRequested()) return undefined;
    result = await prove(broker, plans, seen);
    return result;
  } finally {
    progress.end();
    if (stopping.isRequested()) progress.line('Stopping…');
    await processes.stop();
    const keeps = result !== undefined && problems(result).length > 0;
    if (keeps) {
      keepFolder(dataDir);
      progress.line(`The data and logs are kept in ${dataDir}`);
    } else remove();
  }
}

function namesOf({ system: { gateways, workers, callbacks, exchange } }: Broker): string {
  const names = [...workers, ...gateways, ...callbacks, exchange].map((app) => `${app.name} ${app.pid}`);
  return `Processes, to kill -9 if you like: ${names.join(', ')}`;
}

interface Watched {
  progress: Progress;
  stopping: StopSignal;
  stalledMs: number;
}

async function trade({ system }: Broker, plans: Plan[], { progress, stopping, stalledMs }: Watched): Promise<Sightings> {
  const channels = system.gateways.map((gateway) => new RpcChannel(gateway.endpoints.grpc ?? ''));
  const clients = channels.map((channel) => channel.client(TradingServiceDefinition));
  const tokens = await Promise.all(
    plans.map(({ account }) => system.issuer.tokenFor(account.customerId, { lifetimeSeconds: 86_400 })),
  );
  const trades = countTrades(plans);
  const seen = new Sightings();
  const rate = pollRate(plans.length, trades);
  progress.live(() => bar(seen, trades));
  const plainly = progress.isLive ? undefined : setInterval(() => progress.line(bar(seen, trades)), 2_000);
  try {
    const traders = plans.flatMap((plan, i) => {
      const [client, token] = [clients[i % clients.length], tokens[i]];
      if (client === undefined || token === undefined) return [];
      return [new Trader({ plan, client, token, seen, ...rate, stalledMs, isStopped: stopping.isRequested })];
    });
    await Promise.all(traders.map((trader) => trader.run()));
    return seen;
  } finally {
    clearInterval(plainly);
    progress.end();
    for (const channel of channels) channel.close();
  }
}

async function prove(broker: Broker, plans: Plan[], seen: Sightings): Promise<DemoResult> {
  const books = await checkBooks({
    databaseUrl: broker.databaseUrl,
    exchange: { address: broker.system.exchangeAddress, apiKey: broker.system.exchangeApiKey },
    openings: plans.map(({ account }) => account),
    expectedTrades: seen.placed,
  });
  return resultOf(countTrades(plans), seen, books);
}

function countTrades(plans: Plan[]): number {
  return plans.reduce((sum, { orders }) => sum + orders.length, 0);
}

function bar(seen: Sightings, trades: number): string {
  const width = 24;
  const done = Math.round((seen.ended / trades) * width);
  const seconds = (performance.now() - seen.startedAt) / 1_000;
  const rate = grouped(Math.round(seen.ended / seconds));
  return (
    `[${'█'.repeat(done)}${'░'.repeat(width - done)}] placed ${grouped(seen.placed)}, ended ${grouped(seen.ended)} of ${grouped(trades)}, ` +
    `${rate} a second`
  );
}
