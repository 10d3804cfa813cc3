import { busNames, connectNats, natsAt } from '@stockbroker/bus';
import { type Percentiles, percentiles } from '../../percentiles.ts';

/** From the open, seconds. */
export interface Waits {
  /** Of each customer, until the first of its trades was filled. */
  first: Percentiles;
  /** Until all of them were. */
  last: Percentiles;
  /** The longest wait of a customer for all of its trades, divided by the median: the goal is 2 at most. */
  unfairness: number;
}

export interface WaitsWatch {
  /** Trades that have ended. */
  readonly ended: number;
  /** How many of those ended before the open, which none must. */
  readonly early: number;
  waits(): Waits;
  close(): Promise<void>;
}

const DIGITS = 3;

/** Follows the ends of trades as callback servers tell them, right after each commit; one message costs the broker nothing. */
export async function watchWaits(natsUrl: string, opensAtMs: number): Promise<WaitsWatch> {
  const nats = await connectNats(natsAt(natsUrl), 'bench');
  const customers = new Map<string, { firstMs: number; lastMs: number }>();
  let ended = 0;
  let early = 0;
  nats.subscribe(busNames('').settledSubject('*'), {
    callback: (error, message) => {
      if (error !== null) return;
      const nowMs = Date.now();
      const [customerId = ''] = message.string().split(' ');
      ended += 1;
      if (nowMs < opensAtMs) early += 1;
      const seen = customers.get(customerId);
      if (seen === undefined) customers.set(customerId, { firstMs: nowMs, lastMs: nowMs });
      else seen.lastMs = nowMs;
    },
  });
  await nats.flush();
  return {
    get ended() {
      return ended;
    },
    get early() {
      return early;
    },
    waits: () => {
      const seconds = (atMs: number) => (atMs - opensAtMs) / 1_000;
      const all = [...customers.values()];
      const last = percentiles(
        all.map(({ lastMs }) => seconds(lastMs)),
        DIGITS,
      );
      return {
        first: percentiles(
          all.map(({ firstMs }) => seconds(firstMs)),
          DIGITS,
        ),
        last,
        unfairness: last.worst / last.p50,
      };
    },
    close: () => nats.close(),
  };
}
