import { SeededRandom } from '@stockbroker/runtime';
import type { TradeType } from '@stockbroker/trading';
import type { Behaviour } from './memoryExchange.ts';

export interface Opening {
  customerId: string;
  cash: bigint;
  shares: Record<string, number>;
}

/** What a venue may tell of a stock, but prices of both sides. */
const MARKET_STATES = ['halted', 'halted without prices', 'bid alone', 'ask alone', 'no quote'] as const;
export type MarketState = (typeof MARKET_STATES)[number];

export const TICKERS = ['AAPL', 'MSFT'];

export const ROLES = ['gateway-1', 'gateway-2', 'worker-1', 'worker-2', 'worker-3', 'callback-1', 'callback-2'] as const;
export type Role = (typeof ROLES)[number];
export const SERVICES = ['database', 'nats', 'exchange'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Calls around which a process may be killed or paused. */
const OPERATIONS = {
  gateway: ['insertTrades', 'cancelTrades'],
  worker: ['markTradesExecuted', 'submitOrder', 'findOrder', 'raiseEpochs', 'readOldestOpenTrades', 'createLease', 'updateLease'],
  callback: ['settleTrades', 'readTrades'],
};

/** One thing that happens: a trade placed, or a fault. */
export type Action = { atMs: number } & (
  | {
      kind: 'place';
      customer: number;
      ticker: string;
      type: TradeType;
      quantity: number;
      queueForOpen: boolean;
      cancelAfterMs: number | null;
    }
  | { kind: 'kill'; role: Role; backAfterMs: number }
  | { kind: 'pause'; role: Role; ms: number }
  | { kind: 'leave'; role: Role; backAfterMs: number }
  | { kind: 'drain'; role: Role }
  | { kind: 'trap'; role: Role; operation: string; moment: 'before' | 'after'; what: 'kill' | 'pause'; ms: number }
  | { kind: 'cut'; role: Role; service: ServiceName; ms: number }
  | { kind: 'stop'; service: ServiceName; ms: number }
  | { kind: 'wipe' }
  /** Everybody restarts: all workers end, in order or at once, and new ones start when nobody has led for a while. */
  | { kind: 'restart-workers'; inOrder: boolean; gapMs: number }
  /** The database loses what was committed for so long: a failover to a standby that lagged, or a restore. */
  | { kind: 'lose-commits'; agoMs: number }
  /** News and wake-ups do not reach the role, or leave it, while its leases work as ever. */
  | { kind: 'deaf'; role: Role; ms: number }
  /** One server's copy of the leases has gone its own way, the one that the role's watch is read from; so may be the next watches. */
  | { kind: 'diverged'; role: Role; ms: number }
  | { kind: 'trouble'; rate: number; maxDelayMs: number; ms: number }
  /** Calls reach the service late, also after their callers have given up: what was sent again may arrive before. */
  | { kind: 'slow'; service: ServiceName; delayMs: number; ms: number }
  | { kind: 'clock'; role: Role; jumpMs: number }
  | { kind: 'lie'; behaviour: Partial<Behaviour>; ms: number }
  | { kind: 'stranger' }
  | { kind: 'market'; ticker: string; state: MarketState; ms: number }
  /** The venue does not trade, whatever the calendar says. */
  | { kind: 'venue-closes'; ms: number }
);

/** From one moment of the world to another, in milliseconds since it began. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export interface Plan {
  openings: Opening[];
  actions: Action[];
  /** When the market is closed, in order; it may still be when everything is healed. */
  closed: Span[];
  /** How far each role's wall clock, and the database's, is from the exchange's. */
  skewsMs: Record<Role | 'database', number>;
  /** Whether workers differ in how long their leases live, as in a replacement by others with another setting. */
  mixesLeases: boolean;
  /** Whether the exchange calls an order malformed that it has already. */
  refusesRepeats: boolean;
  /** Whether the bucket of leases forgets keys and delete markers when they have had their lifetime, and not long after. */
  forgetsKeys: boolean;
  /** How fast each role's clock runs. */
  speeds: Record<Role, number>;
}

/** How long the faults and the orders come; then everything is healed. */
export const TROUBLED_MS = 12_000;
const CUSTOMERS = 5;
const SHARE_OF_DRY = 0.1;
/** Clocks that a time server keeps, badly. */
export const MAX_SKEW_MS = 400;

/** Everything that happens under a seed, as a list from which parts can be left out. */
export function makePlan(seed: number): Plan {
  const random = new SeededRandom(seed);
  const openings = Array.from({ length: CUSTOMERS }, (_, i) => ({
    customerId: `00000000-0000-4000-8000-${String(seed % 1_000_000).padStart(6, '0')}${String(i).padStart(6, '0')}`,
    cash: BigInt(random.between(0, 3_000)) * 10_000n,
    shares: { AAPL: random.between(0, 20), MSFT: random.between(0, 20) },
  }));
  const trades = Array.from({ length: random.between(6, 20) }, () => place(random));
  // Some seeds have few faults, so that each is also seen alone.
  const faults = Array.from({ length: random.chance(SHARE_OF_DRY) ? 1 : random.between(2, 14) }, () => fault(random));
  const speeds = Object.fromEntries(ROLES.map((role) => [role, 1 + (random.number() - 0.5) / 50])) as Record<Role, number>;
  const skew = () => (random.chance(0.3) ? random.between(-MAX_SKEW_MS, MAX_SKEW_MS) : 0);
  const skewsMs = Object.fromEntries([...ROLES, 'database'].map((name) => [name, skew()])) as Plan['skewsMs'];
  // A lie that comes when the booking of the truth is lost cannot be told from it.
  const losesCommits = faults.some(({ kind }) => kind === 'lose-commits');
  for (const each of faults)
    if (each.kind === 'lie' && losesCommits) Object.assign(each.behaviour, { repeatedIdRate: 0, conflictRate: 0 });
  const actions = [...trades, ...faults].sort((a, b) => a.atMs - b.atMs);
  return {
    openings,
    actions,
    closed: closings(random),
    skewsMs,
    mixesLeases: random.chance(0.3),
    refusesRepeats: random.chance(0.3),
    forgetsKeys: random.chance(0.5),
    speeds,
  };
}

/** Sessions that end and begin between any two steps; one close in three is brief. */
function closings(random: SeededRandom): Span[] {
  const spans: Span[] = [];
  let afterMs = 0;
  for (let left = random.pick([0, 0, 1, 1, 2, 3]); left > 0 && afterMs < TROUBLED_MS; left -= 1) {
    const fromMs = random.between(afterMs, TROUBLED_MS);
    const toMs = fromMs + (random.chance(0.3) ? random.between(20, 500) : random.between(100, TROUBLED_MS));
    spans.push({ fromMs, toMs });
    afterMs = toMs + random.between(50, 3_000);
  }
  return spans;
}

function place(random: SeededRandom): Action {
  return {
    kind: 'place',
    atMs: random.between(0, TROUBLED_MS),
    customer: random.between(0, CUSTOMERS - 1),
    ticker: random.chance(0.03) ? 'NONE' : random.pick(TICKERS),
    type: random.pick(['buy', 'sell']),
    quantity: random.chance(0.05) ? 100_000 : random.between(1, 10),
    queueForOpen: random.chance(0.4),
    cancelAfterMs: random.chance(0.25) ? random.skewed(1, 5_000) : null,
  };
}

const WORKERS = ROLES.filter((role) => role.startsWith('worker'));

const FAULTS: ((random: SeededRandom) => FaultOf)[] = [
  (random) => ({ kind: 'kill', role: random.pick(ROLES), backAfterMs: random.skewed(10, 8_000) }),
  (random) => ({ kind: 'kill', role: random.pick(WORKERS), backAfterMs: random.skewed(10, 8_000) }),
  (random) => ({ kind: 'pause', role: random.pick(ROLES), ms: random.skewed(10, 12_000) }),
  (random) => ({ kind: 'pause', role: random.pick(WORKERS), ms: random.between(2_000, 8_000) }),
  (random) => ({ kind: 'leave', role: random.pick(WORKERS), backAfterMs: random.skewed(10, 5_000) }),
  (random) => ({ kind: 'drain', role: random.pick(WORKERS) }),
  trap,
  trap,
  trap,
  (random) => ({ kind: 'cut', role: random.pick(ROLES), service: random.pick(SERVICES), ms: random.skewed(100, 10_000) }),
  (random) => ({ kind: 'cut', role: random.pick(WORKERS), service: 'nats', ms: random.between(1_000, 8_000) }),
  (random) => ({ kind: 'stop', service: random.pick(SERVICES), ms: random.skewed(50, 10_000) }),
  () => ({ kind: 'wipe' }),
  (random) => ({ kind: 'restart-workers', inOrder: random.chance(0.7), gapMs: random.between(0, 8_000) }),
  (random) => ({ kind: 'lose-commits', agoMs: random.skewed(5, 5_000) }),
  (random) => ({ kind: 'deaf', role: random.pick(ROLES), ms: random.between(500, 8_000) }),
  (random) => ({ kind: 'diverged', role: random.pick(WORKERS), ms: random.between(500, 5_000) }),
  (random) => ({ kind: 'stop', service: 'exchange', ms: random.skewed(10, 2_000) }),
  (random) => ({ kind: 'venue-closes', ms: random.skewed(20, 3_000) }),
  (random) => ({
    kind: 'trouble',
    rate: random.number() * 0.3,
    maxDelayMs: random.skewed(5, 1_000),
    ms: random.between(500, 6_000),
  }),
  (random) => ({
    kind: 'slow',
    service: random.pick([...SERVICES, 'exchange']),
    delayMs: random.between(500, 4_000),
    ms: random.between(500, 5_000),
  }),
  (random) => ({ kind: 'clock', role: random.pick(ROLES), jumpMs: random.between(-3_600_000, 3_600_000) }),
  lie,
  lie,
  () => ({ kind: 'stranger' }),
  (random) => ({
    kind: 'market',
    ticker: random.pick(TICKERS),
    state: random.pick(MARKET_STATES),
    ms: random.between(100, 3_000),
  }),
];

type FaultOf = Action extends infer A ? (A extends { atMs: number } ? Omit<A, 'atMs'> : never) : never;

function fault(random: SeededRandom): Action {
  return { ...random.pick(FAULTS)(random), atMs: random.between(0, TROUBLED_MS) };
}

function trap(random: SeededRandom): FaultOf {
  const role = random.pick(ROLES);
  const operation = random.pick(OPERATIONS[role.split('-')[0] as keyof typeof OPERATIONS]);
  const what = random.pick(['kill', 'pause'] as const);
  return { kind: 'trap', role, operation, moment: random.pick(['before', 'after']), what, ms: random.skewed(100, 10_000) };
}

function lie(random: SeededRandom): FaultOf {
  const rate = () => (random.chance(0.4) ? random.number() : 0);
  const behaviour: Partial<Behaviour> = {
    latencyMs: random.skewed(1, 5_000),
    rejectRate: rate() / 2,
    duplicateRate: rate(),
    dropRate: rate(),
    lateRate: rate(),
    conflictRate: rate() / 2,
    beyondLimitRate: random.chance(0.2) ? 0.3 : 0,
    repeatedIdRate: random.chance(0.2) ? 0.3 : 0,
  };
  return { kind: 'lie', behaviour, ms: random.between(500, 8_000) };
}

/** The action in words. */
export function describeAction({ atMs, ...action }: Action): string {
  const { kind, ...rest } = action;
  const details = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return `${(atMs / 1_000).toFixed(3).padStart(8)} s  ${kind} ${details.join(', ')}`;
}
