import { counted, grouped, table } from '../cli.ts';
import type { Percentiles } from '../percentiles.ts';
import { digits, type Figure, figureOf, spread } from './figures.ts';
import { type Goal, PARTS } from './goals.ts';
import type { Result } from './measure.ts';
import { reportMore } from './reportMore.ts';
import type { Outcome } from './runs.ts';

/** The result for people: medians of the rounds, in parentheses the lowest and the highest. */
export function report(result: Result): string {
  const { machine, plan, books, idleBusy } = result;
  return [
    `${machine.processors} processors (${machine.model}), Node ${machine.node}; ${counted(plan.customers, 'customer')}, ${counted(plan.workers, 'worker')}, ` +
      `${counted(plan.rounds, 'round')} of ${plan.seconds} s; fsync and synchronous_commit are on, ${machine.sharedBuffersMb} MB of shared_buffers.`,
    'Medians, in parentheses the lowest and the highest of the rounds; times in ms, processor in seconds a thousand trades.',
    section('Trades', trades(result)),
    section('What a trade costs, end to end', costs(result.outcomes[PARTS.endToEnd] ?? [])),
    ...queues(result),
    section(`Beside it, the idle broker using ${percent(idleBusy)} of the processors`, others(result)),
    ...reportMore(result).map(([title, rows]) => section(title, rows)),
    section('Goals', goals(result.goals)),
    ...books.map(({ trades: count, violations }) =>
      violations.length === 0 ? `The books of ${grouped(count)} trades are exact.` : violations.join('\n'),
    ),
  ].join('\n');
}

function section(title: string, rows: string): string {
  return `\n${title}\n${rows}`;
}

function trades({ sweep, outcomes }: Result): string {
  const head = [
    '',
    'a second',
    ...['placed', 'filled'].flatMap((what) => [`${what} p50`, 'p99', 'p99.9', 'most']),
    'processor',
    'busy',
  ];
  const ofBroker = Object.entries(outcomes).filter(([, rounds]) => rounds[0]?.placeMs !== undefined);
  const rows: [string, Outcome[]][] = [
    ...sweep.map(({ concurrency, run }): [string, Outcome[]] => [`${grouped(concurrency)} open, once`, [run]]),
    ...ofBroker,
  ];
  return table([head, ...rows.map(([name, rounds]) => [name, ...tradeCells(rounds)])], range(1, 11));
}

function tradeCells(rounds: readonly Outcome[]): string[] {
  return [
    spread(over(rounds, ({ perSecond }) => perSecond)),
    ...times(rounds, ({ placeMs }) => placeMs),
    ...times(rounds, ({ ms }) => ms),
    median(over(rounds, ({ cpu }) => cpu?.all)),
    percent(over(rounds, ({ busy }) => busy)?.median ?? 0),
  ];
}

/** The median with its spread, which a ratio is made of; of the rarer ones only the median. */
function times(rounds: readonly Outcome[], of: (outcome: Outcome) => Percentiles | undefined): string[] {
  const rare = (['p99', 'p999', 'worst'] as const).map((name) => median(over(rounds, (outcome) => of(outcome)?.[name])));
  return [spread(over(rounds, (outcome) => of(outcome)?.p50)), ...rare];
}

function costs(rounds: readonly Outcome[]): string {
  const [first] = rounds;
  if (first === undefined) return 'not measured';
  const groups = Object.keys(first.cpu ?? {}) as (keyof NonNullable<Outcome['cpu']>)[];
  const kinds = Object.keys(first.batchSizes ?? {});
  const rows = [
    ...groups
      .filter((group) => first.cpu?.[group] !== 0)
      .map((group) => [
        `processor, ${group}`,
        spread(
          over(rounds, ({ cpu }) => cpu?.[group]),
          ' s',
        ),
      ]),
    [
      'write-ahead log',
      spread(
        over(rounds, ({ walBytes }) => walBytes),
        ' bytes',
      ),
    ],
    ['round trips of the broker to PostgreSQL', spread(over(rounds, ({ statements }) => statements))],
    ['transactions, as PostgreSQL counts them', spread(over(rounds, ({ transactions }) => transactions))],
    ...kinds.map((kind) => [
      `mean batch, ${kind}`,
      `${spread(over(rounds, ({ batchSizes }) => batchSizes?.[kind]?.mean))}, ${median(over(rounds, ({ batchSizes }) => batchSizes?.[kind]?.aTrade))} of them a trade`,
    ]),
    ...Object.keys(first.memory ?? {}).map((name) => [`memory, ${name}`, memoryWords(rounds, name)]),
  ];
  return table(rows);
}

/** What became of the customers who queued trades. */
function queues({ outcomes }: Result): string[] {
  return Object.values(outcomes).flatMap((rounds) => {
    const drained = over(rounds, ({ queued }) => queued?.drainedSeconds);
    if (drained === undefined) return [];
    const placed = spread(
      over(rounds, ({ queued }) => queued?.placedSeconds),
      ' s',
    );
    return [
      `\nThe customer with ${grouped(rounds[0]?.queued?.trades ?? 0)} trades had placed them after ${placed}, the last was filled after ${spread(drained, ' s')}.`,
    ];
  });
}

function memoryWords(rounds: readonly Outcome[], name: string): string {
  const [first, last] = [rounds[0]?.memory?.[name], rounds.at(-1)?.memory?.[name]];
  return `${first?.now} MB after the first round, ${last?.now} MB after the last, ${last?.highest} MB at most`;
}

function others({ outcomes }: Result): string {
  const baselines = Object.entries(outcomes).filter(([, rounds]) => rounds[0]?.placeMs === undefined);
  if (baselines.length === 0) return 'not measured';
  const row = ([name, rounds]: [string, Outcome[]]) => [
    name,
    spread(over(rounds, ({ perSecond }) => perSecond)),
    ...times(rounds, ({ ms }) => ms),
    spread(over(rounds, ({ quietMs }) => quietMs?.p50)),
  ];
  return table([['', 'a second', 'p50', 'p99', 'p99.9', 'most', 'p50 at 30/s'], ...baselines.map(row)], range(1, 6));
}

function goals(all: readonly Goal[]): string {
  const verdict = ({ met }: Goal) => (met === undefined ? 'not measured' : met ? 'met' : 'not met');
  return table(
    [['', 'measured', 'goal', ''], ...all.map((goal) => [goal.what, spread(goal.figure), goal.goal, verdict(goal)])],
    [1, 2],
  );
}

function over(rounds: readonly Outcome[], of: (outcome: Outcome) => number | undefined): Figure | undefined {
  return figureOf(rounds.map(of));
}

function median(figure: Figure | undefined): string {
  return figure === undefined ? '–' : digits(figure.median);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
