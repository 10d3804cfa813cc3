import { rmSync } from 'node:fs';
import { parseWebhookSecret, signWebhook } from '@stockbroker/rpc';
import { TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { SeededRandom, sleep } from '@stockbroker/runtime';
import { type AppProcess, eventually, type System, tradingClient } from '@stockbroker/testkit';
import { keepFolder, openRunFolder } from '@stockbroker/testkit/runs';
import { BrokerProcesses } from '../../tools/brokerProcesses.ts';
import { readArguments, runTool, stopSignal, table, wholeNumber } from '../../tools/cli.ts';
import { type Attack, type Attacked, openAttacks } from './attackers.ts';
import { growth, least, readVitals, type Vitals } from './vitals.ts';

const HELP = `npm run hostile: attacks a throw-away system in every way that the tests know, beside good traffic, and measures what it holds.

  npm run hostile -- [options]
    --minutes N    how long; default 2
    --seconds N    the same in seconds
    --seed N       the same seed makes the same attacks in the same order; default 1
    --attackers N  attacks at once; default 6
    --json         prints the result as one JSON document
    --help         this text

Rounds of attack and rest alternate. After each rest the memory, heap, open files and handles of every process are read: they must return
to their values after the first round. Throughout, good trades must end, each attack must get the expected answer, and no process may
exit. Exit code: 0 when all of this holds, else 1; the data and logs are then kept.
`;

interface Result {
  seed: number;
  rounds: number;
  attacks: Record<string, number>;
  trades: number;
  vitals: Record<string, { before: Vitals; after: Vitals }>;
  problems: string[];
}

await runTool(async () => {
  const { values } = readArguments(HELP, {
    minutes: { type: 'string', default: '2' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    attackers: { type: 'string', default: '6' },
    json: { type: 'boolean', default: false },
  });
  const seconds =
    values.seconds === undefined
      ? 60 * wholeNumber('--minutes', values.minutes, { min: 1, max: 1_440 })
      : wholeNumber('--seconds', values.seconds, { min: 2, max: 86_400 });
  const seed = wholeNumber('--seed', values.seed, { min: 0, max: 4_294_967_295 });
  const attackers = wholeNumber('--attackers', values.attackers, { min: 1, max: 100 });
  const result = await run(seconds, seed, attackers);
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : describe(result));
  if (result.problems.length === 0) return 0;
  process.stderr.write(`To repeat it: npm run hostile -- --seconds ${seconds} --seed ${seed} --attackers ${attackers}\n`);
  return 1;
});

async function run(seconds: number, seed: number, attackers: number): Promise<Result> {
  const dataDir = openRunFolder('hostile');
  const customerId = crypto.randomUUID();
  const events: string[] = [];
  const processes = new BrokerProcesses({
    dataDir,
    gateways: 1,
    workers: 1,
    partitions: 100,
    accounts: [{ customerId, cash: 10_000_000_000n, shares: {} }],
    settings: {},
    onEvent: (line) => events.push(line),
  });
  const remove = () => {
    for (const folder of [...processes.dataFolders(), dataDir]) rmSync(folder, { recursive: true, force: true });
  };
  const end = () => {
    void processes.kill().finally(() => {
      remove();
      process.exit(130);
    });
  };
  // Nothing here is worth an orderly end.
  const stopping = stopSignal(end);
  void stopping.requested.then(end);
  let result: Result | undefined;
  try {
    const { system } = await processes.start();
    result = await soak(system, customerId, { seconds, seed, attackers });
    result.problems.push(...events.filter((line) => /exited with|was ended by/.test(line)));
    return result;
  } finally {
    await processes.stop();
    if (result?.problems.length === 0) remove();
    else {
      keepFolder(dataDir);
      process.stderr.write(`The data and logs are kept in ${dataDir}\n`);
    }
  }
}

async function soak(
  system: System,
  customerId: string,
  wanted: { seconds: number; seed: number; attackers: number },
): Promise<Result> {
  const attacks = await openAttacks(attackedOf(system));
  const apps = [...system.gateways, ...system.workers, ...system.callbacks, system.exchange];
  const result: Result = { seed: wanted.seed, rounds: 0, attacks: {}, trades: 0, vitals: {}, problems: [] };
  const ends = performance.now() + wanted.seconds * 1_000;
  const roundMs = Math.min(15_000, (wanted.seconds * 1_000) / 2);
  const traffic = trade(system, customerId, () => performance.now() < ends, result);
  const before = new Map<AppProcess, Vitals>();
  while (performance.now() < ends) {
    const until = Math.min(ends, performance.now() + roundMs);
    await Promise.all(
      Array.from({ length: wanted.attackers }, (_, i) =>
        attackUntil(until, attacks, wanted.seed * 1_000_003 + result.rounds * 101 + i, result),
      ),
    );
    result.rounds += 1;
    for (const app of apps) {
      const rested = await rest(app, before.get(app));
      if (!before.has(app)) before.set(app, rested);
      result.vitals[app.name] = { before: before.get(app) ?? rested, after: rested };
    }
  }
  await traffic;
  for (const [name, { before: first, after }] of Object.entries(result.vitals))
    result.problems.push(...growth(name, first, after));
  return result;
}

function attackedOf(system: System): Attacked {
  const server = (name: string, address = '') => ({ name, address, port: Number(address.split(':')[1]) });
  const [callback] = system.callbacks;
  const url = new URL(callback?.endpoints.http ?? '');
  return {
    system,
    sign: (body, nowMs = Date.now()) => ({ ...signWebhook(parseWebhookSecret(system.callbackSecret), Buffer.from(body), nowMs) }),
    gateway: server('gateway', system.gatewayAddress),
    gatewayWeb: server('gateway over HTTP', new URL(system.gateways[0]?.endpoints.web ?? '').host),
    callback: server('callback', callback?.endpoints.grpc?.replace('grpc://', '')),
    callbackHttp: server('callback over HTTP', url.host),
    exchange: server('exchange', system.exchangeAddress),
    path: url.pathname,
  };
}

async function attackUntil(untilMs: number, attacks: Record<string, Attack>, seed: number, result: Result): Promise<void> {
  const random = new SeededRandom(seed);
  const names = Object.keys(attacks);
  while (performance.now() < untilMs) {
    const name = random.pick(names);
    const problem = await attacks[name]?.(random).catch((error: unknown) => String(error));
    result.attacks[name] = (result.attacks[name] ?? 0) + 1;
    if (problem !== undefined) result.problems.push(`${name}: ${problem}`);
  }
}

/** A good client, who places a trade when the one before has ended. */
async function trade(system: System, customerId: string, goesOn: () => boolean, result: Result): Promise<void> {
  const token = await system.issuer.tokenFor(customerId, { lifetimeSeconds: 86_400 });
  const client = tradingClient(system.gatewayAddress, token);
  const isFinal = ({ status }: { status: TradeStatus }) =>
    status === TradeStatus.TRADE_STATUS_FILLED || status === TradeStatus.TRADE_STATUS_REJECTED;
  try {
    while (goesOn()) {
      const { orderId } = await client.placeTrade({
        stockTicker: 'AAPL',
        type: TradeType.TRADE_TYPE_BUY,
        quantity: 1,
        clientOrderId: crypto.randomUUID(),
      });
      await eventually(() => client.getTrade({ orderId }), isFinal, { what: `the end of trade ${orderId}` });
      result.trades += 1;
    }
  } catch (error) {
    result.problems.push(`good traffic: ${String(error)}`);
  } finally {
    client.close();
  }
}

/** Its vitals at rest: once they are back where they were, or have stopped to fall. */
async function rest(app: AppProcess, before: Vitals | undefined): Promise<Vitals> {
  const readings: Vitals[] = [];
  for (let i = 0; i < 20; i += 1) {
    readings.push(await readVitals(app));
    const now = least(readings);
    if (i >= 3 && (before === undefined || growth(app.name, before, now).length === 0)) return now;
    await sleep(200 + 50 * i);
  }
  return least(readings);
}

function describe({ seed, rounds, attacks, trades, vitals, problems }: Result): string {
  const counts = Object.entries(attacks).map(([name, count]) => [name, String(count)]);
  const rows = Object.entries(vitals).map(([name, { before, after }]) => [
    name,
    ...(['rssMb', 'heapMb', 'files', 'handles'] as const).map((key) => `${before[key]} → ${after[key]}`),
  ]);
  return `${[
    `Seed ${seed}: ${rounds} rounds, ${trades} good trades ended meanwhile.`,
    table([['attack', 'times'], ...counts], [1]),
    table([['process', 'RSS MB', 'heap MB', 'files', 'handles'], ...rows]),
    problems.length === 0 ? 'All came back, and nothing was answered wrongly.' : problems.slice(0, 50).join('\n'),
  ].join('\n\n')}\n`;
}
