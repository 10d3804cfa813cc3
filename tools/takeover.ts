import { rmSync } from 'node:fs';
import { openRunFolder } from '@stockbroker/testkit/runs';
import { grouped, readArguments, runTool, stopSignal, table, wholeNumber } from './cli.ts';
import { type Percentiles, percentiles } from './percentiles.ts';
import { Progress } from './progress.ts';
import { type Measured, measure } from './takeover/measure.ts';
import { measureRestarts, type Restarted } from './takeover/restarts.ts';

/** The default of LEASE_TTL_MS: apps/worker/src/config.ts. */
const DEFAULT_TTL_MS = 3_000;
/** Goals: docs/takeover.md. */
const OVER_TTL_MS = 500;
const PAUSE_MS = 100;
const RESTART_OVER_TTL_MS = 1_000;

const HELP = `npm run takeover: measures how long partitions wait for a new leader, on a throw-away system under load.

  npm run takeover -- [options]
    --kills N    workers killed one after the other; default 30
    --moves N    workers stopped gracefully and started again, in turns; default 10
    --ttl-ms N   lifetime of leases; default ${DEFAULT_TTL_MS}, the workers' own default
    --restarts   instead: stops all workers and starts new ones, with gaps in between
      --from-ms N --to-ms N --step-ms N   the gaps; default 0 to 10000 in steps of 100
      --kill     kill -9 instead of stopping them gracefully
    --json       prints the result as one JSON document
    --help       this text

Three workers share 100 partitions, each with a customer who keeps trading.

takeover  From just before the kill -9 of a worker until the next order of a partition that it led is sent: one figure for each such
          partition. The end is trades.submitted_at, which is written by the statement that marks the order executed right before it
          leaves, and only under the epoch that the new leader has raised. A trade is placed in each partition right after the kill, so
          that there is always one to send. Goal: p99 at most the leases' lifetime + ${OVER_TTL_MS} ms.
pause     For each partition that is handed over because a worker joins or is stopped: from the moment when its leader stops starting
          new work ("hands over" in the worker's log) until the next leader has raised the epoch, has read the open trades and works
          on them ("leads"). Goal: the worst at most ${PAUSE_MS} ms.

restart   From the start of three new workers, after the former ones have all been stopped for the gap, until each partition is led by
          a new worker: one figure for each gap, including the start of the processes. Goal: at most the leases' lifetime +
          ${RESTART_OVER_TTL_MS} ms, whatever the gap: the delete markers and leases of the former workers vanish from the store meanwhile.

At the end the books are checked. Exit code: 0 when the goals are met and the books are exact, else 1.
`;

interface Result {
  leaseTtlMs: number;
  takeoverMs: Percentiles;
  pauseMs: Percentiles;
  trades: number;
  violations: string[];
  /** What is not as it should be, in words. */
  problems: string[];
}

await runTool(async () => {
  const { values } = readArguments(HELP, {
    kills: { type: 'string', default: '30' },
    moves: { type: 'string', default: '10' },
    'ttl-ms': { type: 'string' },
    restarts: { type: 'boolean', default: false },
    'from-ms': { type: 'string', default: '0' },
    'to-ms': { type: 'string', default: '10000' },
    'step-ms': { type: 'string', default: '100' },
    kill: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const ttl = values['ttl-ms'];
  const plan = {
    kills: wholeNumber('--kills', values.kills, { min: 0, max: 10_000 }),
    moves: wholeNumber('--moves', values.moves, { min: 0, max: 10_000 }),
    ttlMs: ttl === undefined ? undefined : wholeNumber('--ttl-ms', ttl, { min: 1_000, max: 60_000 }),
  };
  const folder = openRunFolder('takeover');
  const progress = new Progress(process.stderr);
  const stopping = stopSignal(() => process.exit(130));
  try {
    const onEvent = (line: string) => progress.line(`${progress.elapsed().padStart(9)}  ${line}`);
    const common = { folder, onEvent, isStopped: stopping.isRequested };
    if (values.restarts) {
      const gapsMs = gapsOf(values['from-ms'], values['to-ms'], values['step-ms']);
      const ttlMs = plan.ttlMs ?? DEFAULT_TTL_MS;
      const restarts = await measureRestarts({ ...common, gapsMs, kills: values.kill, ttlMs });
      const result = { leaseTtlMs: ttlMs, restarts, problems: tooLate(restarts, ttlMs) };
      process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : restartReport(result));
      if (stopping.isRequested()) return 130;
      return result.problems.length === 0 ? 0 : 1;
    }
    const measured = await measure({ ...plan, ...common });
    const result = resultOf(measured, plan.ttlMs ?? DEFAULT_TTL_MS);
    process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : report(result));
    if (stopping.isRequested()) return 130;
    return result.problems.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function gapsOf(from: string, to: string, step: string): number[] {
  const range = { min: 0, max: 600_000 };
  const [fromMs, toMs] = [wholeNumber('--from-ms', from, range), wholeNumber('--to-ms', to, range)];
  const stepMs = wholeNumber('--step-ms', step, { min: 1, max: 600_000 });
  return Array.from({ length: Math.max(0, Math.floor((toMs - fromMs) / stepMs) + 1) }, (_, i) => fromMs + i * stepMs);
}

function tooLate(restarts: readonly Restarted[], ttlMs: number): string[] {
  return restarts
    .filter(({ ledAfterMs }) => ledAfterMs > ttlMs + RESTART_OVER_TTL_MS)
    .map(({ gapMs, ledAfterMs }) => `after a gap of ${grouped(gapMs)} ms partitions had no leader for ${grouped(ledAfterMs)} ms`);
}

function restartReport({
  leaseTtlMs,
  restarts,
  problems,
}: {
  leaseTtlMs: number;
  restarts: Restarted[];
  problems: string[];
}): string {
  const rows = restarts.map((each) => [each.gapMs, each.startedAfterMs, each.ledAfterMs].map((ms) => `${grouped(ms)} ms`));
  const goal = `Goal: at most ${grouped(leaseTtlMs + RESTART_OVER_TTL_MS)} ms.`;
  const verdict = problems.length === 0 ? 'It is met.' : problems.join('\n');
  return `${table([['gap', 'processes started', 'all led after'], ...rows], [0, 1, 2])}\n${goal} ${verdict}\n`;
}

function resultOf({ takeoverMs, pauseMs, trades, violations }: Measured, leaseTtlMs: number): Result {
  const result = { leaseTtlMs, takeoverMs: percentiles(takeoverMs), pauseMs: percentiles(pauseMs), trades, violations };
  const problems = [...violations];
  if (result.takeoverMs.p99 > leaseTtlMs + OVER_TTL_MS) problems.push(`p99 of takeovers is above ${leaseTtlMs + OVER_TTL_MS} ms`);
  if (result.pauseMs.worst > PAUSE_MS) problems.push(`the worst pause is above ${PAUSE_MS} ms`);
  return { ...result, problems };
}

function report({ leaseTtlMs, takeoverMs, pauseMs, trades, problems }: Result): string {
  const row = (what: string, { count, p50, p99, worst }: Percentiles, goal: string) => [
    what,
    grouped(count),
    ...[p50, p99, worst].map((ms) => `${grouped(ms)} ms`),
    goal,
  ];
  const rows = [
    ['', 'partitions', 'p50', 'p99', 'worst', 'goal'],
    row(
      'takeover after kill -9',
      takeoverMs,
      `p99 ${grouped(leaseTtlMs + OVER_TTL_MS)} ms (leases live ${grouped(leaseTtlMs)} ms)`,
    ),
    row('pause of a planned move', pauseMs, `worst ${PAUSE_MS} ms`),
  ];
  const verdict = problems.length === 0 ? 'The goals are met.' : problems.join('\n');
  return `${table(rows, [1, 2, 3, 4])}\n${grouped(trades)} trades, the books ${problems.length === 0 ? 'exact. ' : 'checked.\n'}${verdict}\n`;
}
