/** How often a kind of fault is drawn, and how long it lasts. */
export interface Kind {
  /** Cards in the deck from which faults are drawn: each deck has every kind. */
  cards: number;
  /** Seconds, from and to. A fault without a length of its own is over when what was ended runs again. */
  seconds: readonly [number, number];
  /** For people. */
  what: string;
}

const kind = (cards: number, seconds: readonly [number, number], what: string): Kind => ({ cards, seconds, what });
const MOMENT = [0, 0] as const;
/** Shorter than a lease; every deadline in the system outlasts it. */
const SHORT = [0.2, 1.5] as const;
/** Longer than a lease (3 s). */
const LONG = [4, 8] as const;
const WHILE = [2, 6] as const;

/** Everything that is done to the system. The order is that of the report. */
export const KINDS = {
  'worker.kill': kind(4, MOMENT, 'kill -9'),
  'worker.pause': kind(1, SHORT, 'SIGSTOP for less than the lease'),
  'worker.pause-long': kind(2, LONG, 'SIGSTOP for longer than the lease'),
  'worker.restart': kind(1, MOMENT, 'stopped gracefully and started again: its partitions are handed over'),
  'worker.join': kind(2, WHILE, 'one more joins, then leaves gracefully'),
  'worker.restart-all': kind(2, [0, 8], 'all are stopped gracefully, and others start after a gap about as long as a lease'),
  'worker.kill-all': kind(1, [0, 8], 'kill -9 of all, and others start after the same kind of gap'),
  'worker.wrong-clock': kind(2, WHILE, 'one more joins, whose clock is off by tenths of a second or by an hour'),
  'worker.log-full': kind(1, WHILE, 'one more joins, whose log is full'),
  'worker.other-ttl': kind(1, WHILE, 'workers with another LEASE_TTL_MS replace all that run, one by one, and back'),
  'worker.cut-nats': kind(1, LONG, 'its connections to NATS are reset and refused'),
  'worker.stall-nats': kind(1, LONG, 'its connections to NATS are silent'),
  'worker.cut-postgres': kind(1, WHILE, 'its connections to PostgreSQL are reset and refused'),
  'worker.stall-postgres': kind(1, LONG, 'its connections to PostgreSQL are silent'),
  'worker.cut-exchange': kind(1, WHILE, 'its connection to the exchange is reset and refused'),
  'worker.stall-exchange': kind(1, LONG, 'its connection to the exchange is silent'),
  'gateway.kill': kind(3, MOMENT, 'kill -9'),
  'gateway.pause': kind(2, WHILE, 'SIGSTOP'),
  'gateway.restart': kind(1, MOMENT, 'stopped gracefully and started again'),
  'callback.kill': kind(3, MOMENT, 'kill -9'),
  'callback.pause': kind(2, WHILE, 'SIGSTOP'),
  'callback.restart': kind(1, MOMENT, 'stopped gracefully and started again'),
  'balancer.cut': kind(1, WHILE, 'the balancer in front of the callback servers resets and refuses connections'),
  'balancer.stall': kind(1, WHILE, 'the balancer in front of the callback servers is silent'),
  'exchange.kill': kind(2, MOMENT, 'kill -9'),
  'exchange.pause': kind(1, LONG, 'SIGSTOP'),
  'exchange.unavailable': kind(1, WHILE, 'it answers UNAVAILABLE'),
  'exchange.swallow': kind(1, WHILE, 'it accepts orders but never answers'),
  'exchange.slow': kind(1, WHILE, 'orders take up to 3 s'),
  'exchange.reject': kind(1, WHILE, 'it rejects a third of the orders'),
  'exchange.duplicate': kind(1, LONG, 'it reports most orders twice'),
  'exchange.late': kind(1, LONG, 'it reports most orders 3 s late'),
  'exchange.reorder': kind(1, LONG, 'it reports in any order'),
  'exchange.drop': kind(1, WHILE, 'it reports only some orders'),
  'exchange.conflict': kind(2, LONG, 'it contradicts most of its reports afterwards'),
  'exchange.forge': kind(1, WHILE, 'it reports what never happened: other results, other quantities, unknown orders'),
  'exchange.overfill': kind(1, [2, 3], 'it fills a buy above its limit'),
  'exchange.halt': kind(1, WHILE, 'it halts a third of the stocks'),
  'exchange.no-quote': kind(1, WHILE, 'it has no quotes for a third of the stocks'),
  'exchange.one-sided': kind(1, WHILE, 'its quotes for a third of the stocks have one side: the bid or the ask'),
  'exchange.frozen': kind(1, [4, 20], 'its quotes neither change nor are restated'),
  'exchange.repeat-execution': kind(1, LONG, 'it reports fills with the execution ids of earlier ones, then correctly'),
  'exchange.break-limit': kind(1, SHORT, 'it fills some orders beyond their limits'),
  'exchange.closed': kind(1, [2, 3], 'it is closed: it accepts orders and rejects them MARKET_CLOSED'),
  'exchange.jump': kind(1, SHORT, 'prices jump by 20%'),
  'market.close': kind(2, WHILE, 'the session ends: workers with other hours replace all that run, and again at the open'),
  'nats.kill': kind(2, SHORT, 'kill -9 of one server'),
  'nats.pause': kind(2, LONG, 'SIGSTOP of one server'),
  'nats.wipe': kind(1, MOMENT, 'one server loses its store'),
  'nats.restart-all': kind(1, SHORT, 'kill -9 of all servers'),
  'nats.lose-all': kind(1, MOMENT, 'all servers lose their stores'),
  'nats.refuse': kind(2, LONG, 'its servers get another password: they close all connections and refuse new ones'),
  'nats.resettle': kind(2, WHILE, 'an outsider changes the settings of the leases or of the wake-ups'),
  'postgres.kill': kind(1, SHORT, 'kill -9 of the primary, which recovers'),
  'postgres.pause': kind(1, SHORT, 'SIGSTOP of the primary'),
  'postgres.fail-over': kind(2, MOMENT, 'the primary is lost, the standby is promoted, and a new standby is made'),
  'postgres.lock-row': kind(2, [2, 8], 'an outside transaction locks the balances of three customers'),
  'postgres.lock-table': kind(1, [0.5, 4], 'an outside transaction locks a whole table'),
  'postgres.read-only': kind(1, WHILE, 'the database refuses writes, as an operator can configure'),
  'postgres.wait-for-standby': kind(1, [10, 60], 'kill -9 of the standby, and no operator acts: commits wait'),
  'customer.long-history': kind(2, WHILE, 'a customer with 100,000 trades lists them, again and again'),
  'postgres.lose-standby': kind(1, WHILE, 'kill -9 of the standby; the operator continues without it'),
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

export const KIND_NAMES = Object.keys(KINDS) as KindName[];

/**
 * "worker,nats.kill" → all kinds of worker, and nats.kill.
 *
 * @returns undefined with a name that is none
 */
export function kindsNamed(names: string): KindName[] | undefined {
  const wanted = names.split(',').map((name) => name.trim());
  const matches = (wish: string) => KIND_NAMES.filter((name) => name === wish || name.startsWith(`${wish}.`));
  if (wanted.some((wish) => matches(wish).length === 0)) return undefined;
  return KIND_NAMES.filter((name) => wanted.some((wish) => matches(wish).includes(name)));
}
