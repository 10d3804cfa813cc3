import type { Percentiles } from '../percentiles.ts';
import { type Figure, figureOf } from './figures.ts';
import type { OpeningBell } from './openingBell/openingBell.ts';
import type { Outcome, Outcomes } from './runs.ts';

/** One of the goals, and what became of it. */
export interface Goal {
  what: string;
  /** In words, e.g. "at least 4". */
  goal: string;
  /** Of the rounds' own ratios: each compares neighbours. Undefined when something of it was not measured. */
  figure: Figure | undefined;
  met: boolean | undefined;
}

interface Rule {
  what: string;
  atLeast?: number;
  atMost?: number;
  /** In one round; undefined when something was not measured. */
  of: (part: (name: string) => Outcome | undefined) => number | undefined;
}

/** Names of the parts that goals speak of. */
export const PARTS = {
  endToEnd: 'end to end',
  quiet: 'end to end, 30 a second',
  half: 'end to end, half of the most',
  tpcB: 'pgbench TPC-B',
  straightforward: 'straightforward broker',
  batched: 'batched statements alone',
  commit: 'one durable commit',
  echo: 'one grpc-js echo',
  publish: 'one JetStream publish',
  large: 'end to end, many customers and old trades',
  small: 'end to end, few customers and empty tables',
  others: 'others at a quarter of the most',
  othersBesideQueue: 'others, one customer queueing 5,000',
} as const;

/** Of isolation: each disturbance has a part without it, its neighbour, because what the machine does changes meanwhile. */
export const without = (disturbance: string) => `without ${disturbance}`;
const MIN_OTHERS_RATE = 0.9;
const MAX_OTHERS_P99 = 1.5;

const UNFAIR = 2;
const MAX_MB = 250;
/** Of the highest that a process had in the first round. */
const FLAT = 1.1;

const RULES: Rule[] = [
  { what: 'end to end ÷ pgbench TPC-B', atLeast: 1, of: rates(PARTS.endToEnd, PARTS.tpcB) },
  { what: 'end to end ÷ straightforward broker', atLeast: 4, of: rates(PARTS.endToEnd, PARTS.straightforward) },
  { what: 'end to end ÷ batched statements alone', atLeast: 0.4, of: rates(PARTS.endToEnd, PARTS.batched) },
  ...latencyRules('back to back', ({ ms }) => ms),
  ...latencyRules('at 30/s', ({ quietMs }) => quietMs),
  {
    what: 'placed→filled p99 at half of the most ÷ p50 at 30/s',
    atMost: 20,
    of: (part) => over(part(PARTS.half)?.ms?.p99, p50(part(PARTS.quiet))),
  },
  {
    what: 'trades a second with many customers and old trades ÷ with few and none',
    atLeast: 0.9,
    of: rates(PARTS.large, PARTS.small),
  },
  {
    what: 'others’ p99 with one customer queueing 5,000 ÷ without',
    atMost: 1.5,
    of: (part) => over(part(PARTS.othersBesideQueue)?.ms?.p99, part(PARTS.others)?.ms?.p99),
  },
];

/** All goals, also those of which nothing is known. */
export function judge(outcomes: Outcomes): Goal[] {
  return [...RULES.map((rule) => judgeRule(rule, outcomes)), ...judgeMemory(outcomes[PARTS.endToEnd] ?? [])];
}

function judgeRule({ what, atLeast, atMost, of }: Rule, outcomes: Outcomes): Goal {
  const rounds = Math.max(0, ...Object.values(outcomes).map(({ length }) => length));
  const figure = figureOf(Array.from({ length: rounds }, (_, round) => of((name) => outcomes[name]?.[round])));
  const met = figure && figure.median >= (atLeast ?? -Infinity) && figure.median <= (atMost ?? Infinity);
  return { what, goal: atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`, figure, met };
}

/** What others notice of each disturbance, against its neighbour without it. */
export function judgeIsolation(outcomes: Outcomes, disturbances: readonly string[]): Goal[] {
  const rules = disturbances.flatMap((name): Rule[] => [
    { what: `others’ trades a second with ${name} ÷ without`, atLeast: MIN_OTHERS_RATE, of: rates(name, without(name)) },
    {
      what: `others’ p99 with ${name} ÷ without`,
      atMost: MAX_OTHERS_P99,
      of: (part) => over(part(name)?.ms?.p99, part(without(name))?.ms?.p99),
    },
  ]);
  return rules.map((rule) => judgeRule(rule, outcomes));
}

/** When many trades wait for the open. */
export function judgeBell(bell: OpeningBell | undefined): Goal[] {
  const figure = figureOf([bell?.waits.unfairness]);
  const met = figure && figure.median <= UNFAIR;
  return [{ what: 'longest wait of a customer at the opening bell ÷ median', goal: `≤ ${UNFAIR}`, figure, met }];
}

/** Of the process that needs the most, and of the one that grows the most. */
function judgeMemory(rounds: readonly Outcome[]): Goal[] {
  const ofBroker = ({ memory = {} }: Outcome) => Object.entries(memory).filter(([name]) => name !== 'load');
  const highest = rounds.map((round) => Math.max(...ofBroker(round).map(([, of]) => of.highest)));
  const [first, last] = [rounds[0]?.memory, rounds.at(-1)];
  const grown = ofBroker(last ?? {}).map(([name, { now }]) => now / (first?.[name]?.highest ?? 0));
  const grew = rounds.length < 2 ? undefined : figureOf([Math.max(...grown)]);
  const most = figureOf(highest.slice(-1));
  return [
    { what: 'memory of the largest Node process, MB', goal: `≤ ${MAX_MB}`, figure: most, met: most && most.median <= MAX_MB },
    { what: 'its last round ÷ the most in the first', goal: `≤ ${FLAT}`, figure: grew, met: grew && grew.median <= FLAT },
  ];
}

/**
 * Floors are told twice: one thing right after the other, when the processor and the disk are at their fastest, and at as few a second
 * as the trades, when both have slept in between.
 */
function latencyRules(floors: string, timesOf: (outcome: Outcome) => Percentiles | undefined): Rule[] {
  const floor = (outcome: Outcome | undefined) => outcome && timesOf(outcome)?.p50;
  return [
    {
      what: `place p50 at 30/s ÷ (commit + echo), floors ${floors}`,
      atMost: 2,
      of: (part) => over(part(PARTS.quiet)?.placeMs?.p50, sum(floor(part(PARTS.commit)), floor(part(PARTS.echo)))),
    },
    {
      what: `placed→filled p50 at 30/s ÷ (3 commits + publish + 3 echoes), floors ${floors}`,
      atMost: 2,
      of: (part) => {
        const [commit, publish, echo] = [floor(part(PARTS.commit)), floor(part(PARTS.publish)), floor(part(PARTS.echo))];
        return over(p50(part(PARTS.quiet)), sum(commit, commit, commit, publish, echo, echo, echo));
      },
    },
  ];
}

function rates(one: string, other: string): Rule['of'] {
  return (part) => over(part(one)?.perSecond, part(other)?.perSecond);
}

function p50(outcome: Outcome | undefined): number | undefined {
  return outcome?.ms?.p50;
}

function sum(...values: (number | undefined)[]): number | undefined {
  return values.reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0);
}

function over(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined ? undefined : value / by;
}
