import { rmSync } from 'node:fs';
import { openRunFolder } from '@stockbroker/testkit/runs';
import { readArguments, runTool, stopSignal, table, wholeNumber } from './cli.ts';
import { percentiles } from './percentiles.ts';
import { Progress } from './progress.ts';
import { type Measured, measure, type Run } from './watching/measure.ts';

const HELP = `npm run watching: measures what open WatchTrades streams cost, on a throw-away system (free ports, temporary data).

  npm run watching -- [options]
    --streams N  streams, one for each customer, all at one gateway; default 1000
    --trades N   trades in each run; default 3000
    --rounds N   rounds, each a run without streams and a run with them; default 3
    --json       prints the result as one JSON document
    --help       this text

Prints the processor time of a trade with and without the streams, for all processes but the clients; trades a second, with the watching
clients on the same processors; the time from a fill at the exchange until the watching client receives it; and the memory that the
streams take in the gateway.

Exit code: 0 when the books are exact, else 1.
`;

const MB = 1024 * 1024;

await runTool(async () => {
  const { values } = readArguments(HELP, {
    streams: { type: 'string', default: '1000' },
    trades: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  });
  const streams = wholeNumber('--streams', values.streams, { min: 1, max: 20_000 });
  const trades = wholeNumber('--trades', values.trades, { min: 1, max: 1_000_000 });
  const rounds = wholeNumber('--rounds', values.rounds, { min: 1, max: 100 });
  const folder = openRunFolder('watching');
  const progress = new Progress(process.stderr);
  const stopping = stopSignal(() => process.exit(130));
  try {
    const onEvent = (line: string) => progress.line(`${progress.elapsed().padStart(7)}  ${line}`);
    const measured = await measure({ streams, trades, rounds, folder, onEvent, isStopped: stopping.isRequested });
    if (stopping.isRequested()) return 130;
    const result = resultOf(measured, streams);
    process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : `${report(result)}\n`);
    return measured.violations.length === 0 ? 0 : 1;
  } finally {
    progress.end();
    rmSync(folder, { recursive: true, force: true });
  }
});

type Result = ReturnType<typeof resultOf>;

function resultOf({ memory, fillMs, violations, ...rates }: Measured, streams: number) {
  const ratioOf = (figure: (run: Run) => number) => {
    const [without, withStreams] = [median(rates.without.map(figure)), median(rates.with.map(figure))];
    return { without, with: withStreams, ratio: Number((withStreams / without).toFixed(2)) };
  };
  return {
    streams,
    cpuMsATrade: ratioOf(({ cpuMsATrade }) => cpuMsATrade),
    tradesASecond: ratioOf(({ tradesASecond }) => tradesASecond),
    fillToClientMs: percentiles(fillMs),
    gatewayMb: Math.round(memory.all / MB),
    mbPerThousand: Number((((memory.all - memory.half) / MB / (streams - Math.floor(streams / 2))) * 1_000).toFixed(1)),
    violations,
  };
}

function report({ streams, cpuMsATrade, tradesASecond, fillToClientMs, gatewayMb, mbPerThousand, violations }: Result): string {
  const { p50, p99, count } = fillToClientMs;
  return [
    table([
      [
        'processor a trade',
        `${cpuMsATrade.without} ms without streams, ${cpuMsATrade.with} ms with ${streams}: ratio ${cpuMsATrade.ratio}`,
      ],
      [
        'trades a second',
        `${tradesASecond.without} without, ${tradesASecond.with} with, their clients included: ratio ${tradesASecond.ratio}`,
      ],
      ['fill at the exchange to the client', `p50 ${p50} ms, p99 ${p99} ms, of ${count}`],
      ['memory of the gateway', `${mbPerThousand} MB a thousand streams, ${gatewayMb} MB with all of them and before any trade`],
    ]),
    ...(violations.length === 0 ? ['The books are exact.'] : violations),
  ].join('\n');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number((sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(2));
}
