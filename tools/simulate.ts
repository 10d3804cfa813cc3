import { Worker } from 'node:worker_threads';
import { describeAction, makePlan } from '../test/simulation/plan.ts';
import type { RangeResult, SeedRange } from '../test/simulation/seedThread.ts';
import { type SeedResult, shrink, simulate, without } from '../test/simulation/simulate.ts';
import { grouped, readArguments, runTool, stopSignal, UserError, wholeNumber } from './cli.ts';
import { Progress } from './progress.ts';

const HELP = `npm run simulate: runs the flow, lanes, leases and batching in simulated worlds; a world's every choice follows from its seed.

  npm run simulate -- [options]
    --seeds N        how many seeds to run; default 1000
    --from N         the first seed; default 1
    --jobs N         threads; default 1
    --seed N         runs this seed alone and prints its history
    --without LIST   with --seed: leaves out these actions of its plan, by number, e.g. 3,4,7
    --no-shrink      only says which seed fails, and why
    --json           prints the result as one JSON document
    --help           this text

Clients, gateways, workers and callback servers run on their own clocks, with a database, NATS, leases and an exchange in memory. Calls and
messages are late, lost and duplicated, processes are killed and paused between any two steps, servers stop, leases and wake-ups are wiped,
clocks jump, and the exchange lies. The broker's promises are checked after every step; at the end no trade may be left open.

A seed that fails is run again with less and less in its plan. What remains is printed with its history and the command that repeats
it. Exit code: 0 when every promise held, 1 when a seed failed.
`;

const CHUNK = 50;
const MAX_SEED = 4_294_967_295;

await runTool(async () => {
  const { values } = readArguments(HELP, {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    seed: { type: 'string' },
    without: { type: 'string', default: '' },
    'no-shrink': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (values.seed !== undefined) {
    const seed = wholeNumber('--seed', values.seed, { min: 0, max: MAX_SEED });
    return runOne(seed, readList(values.without), values.json);
  }
  if (values.without !== '') throw new UserError('--without needs --seed: it leaves out parts of one seed’s plan.');
  const seeds = wholeNumber('--seeds', values.seeds, { min: 1, max: 100_000_000 });
  const from = wholeNumber('--from', values.from, { min: 0, max: MAX_SEED - seeds });
  const jobs = wholeNumber('--jobs', values.jobs, { min: 1, max: 64 });
  return runMany({ seeds, from, jobs, shrinks: !values['no-shrink'], json: values.json });
});

function readList(text: string): Set<number> {
  const numbers = text === '' ? [] : text.split(',');
  return new Set(numbers.map((number) => wholeNumber('--without', number, { min: 0, max: 10_000 })));
}

async function runOne(seed: number, left: Set<number>, json: boolean): Promise<number> {
  const result = await simulate(seed, { plan: without(seed, left), tells: true });
  if (json) printJson(result, left);
  else printHistory(result, left);
  return result.violation === undefined ? 0 : 1;
}

interface Run {
  seeds: number;
  from: number;
  jobs: number;
  shrinks: boolean;
  json: boolean;
}

async function runMany({ seeds, from, jobs, shrinks, json }: Run): Promise<number> {
  const progress = new Progress(process.stderr);
  const startedMs = performance.now();
  const sum: RangeResult = { seeds: 0, steps: 0, trades: 0, filled: 0, longestDrainMs: 0, failed: undefined };
  const perMinute = () => Math.round((sum.seeds / (performance.now() - startedMs)) * 60_000);
  const status = () => `${grouped(sum.seeds)} of ${grouped(seeds)} seeds, ${grouped(perMinute())} a minute`;
  progress.live(status);
  const plainly = progress.isLive ? undefined : setInterval(() => progress.line(status()), 10_000);
  const stopping = stopSignal(() => process.exit(130));
  let next = from;
  const take = (): SeedRange | undefined => {
    const count = Math.min(CHUNK, from + seeds - next);
    if (count <= 0 || sum.failed !== undefined || stopping.isRequested()) return undefined;
    next += count;
    return { from: next - count, count };
  };
  await Promise.all(Array.from({ length: jobs }, () => runThread(take, (result) => add(sum, result))));
  clearInterval(plainly);
  progress.end();
  const rate = perMinute();
  const { failed } = sum;
  if (failed !== undefined && shrinks) return explain(failed.seed, json, progress);
  if (json) process.stdout.write(`${JSON.stringify({ ...sum, from, seedsPerMinute: rate, failed: failed ?? null }, null, 2)}\n`);
  else process.stdout.write(failed === undefined ? summary(sum, rate) : `Seed ${failed.seed} failed: ${failed.violation}\n`);
  if (failed !== undefined) return 1;
  return stopping.isRequested() ? 130 : 0;
}

function summary({ seeds, steps, trades, filled, longestDrainMs }: RangeResult, rate: number): string {
  return (
    `${grouped(seeds)} seeds, every promise held: ${grouped(trades)} trades, ${grouped(filled)} filled, in ${grouped(steps)} steps\n` +
    `${grouped(rate)} seeds a minute; once healed, the slowest took ${(longestDrainMs / 1_000).toFixed(1)} simulated seconds to end all trades\n`
  );
}

function add(sum: RangeResult, result: RangeResult): void {
  sum.seeds += result.seeds;
  sum.steps += result.steps;
  sum.trades += result.trades;
  sum.filled += result.filled;
  sum.longestDrainMs = Math.max(sum.longestDrainMs, result.longestDrainMs);
  sum.failed ??= result.failed;
}

/** Feeds one thread with ranges until there are no more. */
function runThread(take: () => SeedRange | undefined, onResult: (result: RangeResult) => void): Promise<void> {
  const thread = new Worker(new URL('../test/simulation/seedThread.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    const feed = () => {
      const range = take();
      if (range === undefined) void thread.terminate().then(() => resolve());
      else thread.postMessage(range);
    };
    thread.on('message', (result: RangeResult) => {
      onResult(result);
      feed();
    });
    thread.once('error', reject);
    feed();
  });
}

/** Finds the least that makes a seed fail, and prints it. */
async function explain(seed: number, json: boolean, progress: Progress): Promise<number> {
  progress.line(`Seed ${seed} failed. Leaving out what is not needed to fail…`);
  let fewest = makePlan(seed).actions.length;
  progress.live(() => `${fewest} actions are enough`);
  const left = await shrink(seed, {
    onTry: (actions) => {
      fewest = actions;
    },
  });
  progress.end();
  const result = await simulate(seed, { plan: without(seed, left), tells: true });
  if (json) printJson(result, left);
  else printHistory(result, left);
  return 1;
}

function printHistory(result: SeedResult, left: Set<number>): void {
  const { seed, plan, history, violation } = result;
  const lines = [
    'What is planned:',
    ...plan.actions.map(describeAction),
    '',
    'What happened:',
    ...history,
    '',
    violation === undefined ? `Every promise held, with ${result.trades} trades.` : `Broken: ${violation}`,
    `Once more: ${commandFor(seed, left)}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function printJson({ plan, violation, ...result }: SeedResult, left: Set<number>): void {
  const document = { ...result, violation: violation ?? null, actions: plan.actions, command: commandFor(result.seed, left) };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

function commandFor(seed: number, left: Set<number>): string {
  const less = left.size === 0 ? '' : ` --without ${[...left].sort((a, b) => a - b).join()}`;
  return `npm run simulate -- --seed ${seed}${less}`;
}
