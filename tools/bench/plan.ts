/** What a database has before anybody trades. */
export interface OldTrades {
  customers: number;
  tradesOfEach: number;
}

/** How much is measured. */
export interface Plan {
  /** Of each measurement. */
  seconds: number;
  warmUpSeconds: number;
  customers: number;
  workers: number;
  /** Trades open at once, each tried once; the best is measured against the baselines. */
  concurrencies: number[];
  /** Each measures everything once, in another order. */
  rounds: number;
  /** What is measured beside the broker as it is. */
  baselines: boolean;
  growth: boolean;
  /** The size that the broker is measured at, beside a small one; undefined: not at all. */
  large: OldTrades | undefined;
  /** Trades of the customer who has many, for what others notice of one; undefined: not measured. */
  isolationTrades: number | undefined;
  /** Trades that wait for the open; undefined: no opening bell. */
  bellTrades: number | undefined;
  /** Also the baselines are small, and try nothing out. */
  isQuick: boolean;
  /** Where processes leave profiles of what they did in a window of their own; undefined: none are made. */
  profiles: string | undefined;
}

/** A measurement in its surroundings. */
export interface Session extends Plan {
  /** For everything that is written. */
  folder: string;
  onEvent: (line: string) => void;
  isStopped: () => boolean;
}

/** Trades a second at which latency is told: a quiet day. */
export const QUIET_RATE = 30;

/** For CI: everything once, briefly, so that it cannot rot. Its figures say nothing. */
export const QUICK: Plan = {
  seconds: 0.5,
  warmUpSeconds: 0.3,
  customers: 300,
  workers: 1,
  concurrencies: [32],
  rounds: 1,
  baselines: true,
  growth: false,
  large: undefined,
  isolationTrades: 3_000,
  bellTrades: undefined,
  isQuick: true,
  profiles: undefined,
};
