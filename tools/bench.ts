import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openRunFolder } from '@stockbroker/testkit/runs';
import { measure } from './bench/measure.ts';
import { type Plan, QUICK } from './bench/plan.ts';
import { report } from './bench/report.ts';
import { readArguments, runTool, stopSignal, wholeNumber } from './cli.ts';
import { Progress } from './progress.ts';

const HELP = `npm run bench: measures how fast the broker is and what a trade costs, on a throw-away system (free ports, temporary data).

  npm run bench -- [options]
    --seconds N      length of each measurement; default 20
    --rounds N       how often each is measured; default 3
    --workers N      default 1, because there is one of each other process
    --customers N    default 10000
    --open LIST      trades open at once, each tried once, and the fastest measured against the rest; default 16,64,256,1024
    --only LIST      what to measure in addition to the broker itself: baselines, growth, large, isolation, bell, or none; default all
    --old-customers N  customers in the large database, each with two old trades; default 5000000, which needs 15 GB temporarily
    --isolation-trades N  trades of the one customer who has many, old or queued; default 300000
    --bell-trades N  trades that wait for the open; default 200000
    --json FILE      writes all measurements to this file, as JSON
    --profiles DIR   also shows what processors, memory and the database did at the best concurrency, in a separate run; each process of
                     the broker leaves its profiles there, for Chromium's developer tools
    --quick          runs everything once, in half a minute: shows that the benchmark works; its figures mean nothing
    --help           this text

A separate process places trades over gRPC and learns of their ends over NATS. Its processor time is included in the total and also shown
separately. Settings of the apps in the environment are passed on to them, e.g. BATCH_ROWS=64.

Exit code: 0 when everything was measured and the books are exact, else 1. A goal that is not met is shown, but is not a failure.
`;

await runTool(async () => {
  const { values } = readArguments(HELP, {
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '1' },
    customers: { type: 'string', default: '10000' },
    open: { type: 'string', default: '16,64,256,1024' },
    json: { type: 'string' },
    only: { type: 'string', default: 'baselines,growth,large,isolation,bell' },
    'old-customers': { type: 'string', default: '5000000' },
    'isolation-trades': { type: 'string', default: '300000' },
    'bell-trades': { type: 'string', default: '200000' },
    profiles: { type: 'string' },
    quick: { type: 'boolean', default: false },
  });
  const only = new Set(values.only.split(','));
  const profiles = values.profiles === undefined ? undefined : resolve(values.profiles);
  const seconds = wholeNumber('--seconds', values.seconds, { min: 1, max: 3_600 });
  const given: Plan = {
    seconds,
    warmUpSeconds: Math.ceil(seconds / 4),
    customers: wholeNumber('--customers', values.customers, { min: 100, max: 1_000_000 }),
    workers: wholeNumber('--workers', values.workers, { min: 1, max: 50 }),
    concurrencies: values.open.split(',').map((open) => wholeNumber('--open', open, { min: 1, max: 100_000 })),
    rounds: wholeNumber('--rounds', values.rounds, { min: 1, max: 100 }),
    growth: only.has('growth'),
    isQuick: false,
    baselines: only.has('baselines'),
    large: only.has('large')
      ? { customers: wholeNumber('--old-customers', values['old-customers'], { min: 100, max: 50_000_000 }), tradesOfEach: 2 }
      : undefined,
    isolationTrades: only.has('isolation')
      ? wholeNumber('--isolation-trades', values['isolation-trades'], { min: 100, max: 5_000_000 })
      : undefined,
    bellTrades: only.has('bell') ? wholeNumber('--bell-trades', values['bell-trades'], { min: 100, max: 5_000_000 }) : undefined,
    profiles,
  };
  const folder = openRunFolder('bench');
  const progress = new Progress(process.stderr);
  const stopping = stopSignal(() => process.exit(130));
  try {
    const onEvent = (line: string) => progress.line(`${progress.elapsed().padStart(9)}  ${line}`);
    const result = await measure({
      ...(values.quick ? { ...QUICK, profiles } : given),
      folder,
      onEvent,
      isStopped: stopping.isRequested,
    });
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
    process.stdout.write(`${report(result)}\n`);
    if (stopping.isRequested()) return 130;
    return result.books.every(({ violations }) => violations.length === 0) ? 0 : 1;
  } finally {
    progress.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
