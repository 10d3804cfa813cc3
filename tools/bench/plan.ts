/** How much is measured. */
export interface Plan {
  /** Of each window. */
  seconds: number;
  warmUpSeconds: number;
  customers: number;
  workers: number;
  /** Trades open at once, each tried once; the best is measured against the baselines. */
  concurrencies: number[];
  /** Each measures everything once, in another order. */
  rounds: number;
  /** Also what happens as work grows. */
  growth: boolean;
  /** Also the baselines; without them no ratio. */
  baselines: boolean;
  /** Where processes leave profiles of their processor when they end. */
  profiles: string | undefined;
}

/** Trades a second at which latency is told: a quiet day. */
export const QUIET_RATE = 30;

/** For CI: everything once, briefly, so that it cannot rot. Its figures say nothing. */
export const QUICK: Plan = {
  seconds: 1.5,
  warmUpSeconds: 0.5,
  customers: 300,
  workers: 1,
  concurrencies: [16, 64],
  rounds: 1,
  growth: false,
  baselines: true,
  profiles: undefined,
};
