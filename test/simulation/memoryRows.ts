import type { QuarantinedCallback } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import type { Balance, Position } from './memoryAccounts.ts';

/** The tables of the database in memory. */
export class MemoryRows {
  readonly trades = new Map<string, Trade>();
  readonly balances = new Map<string, Balance>();
  /** By "customer ticker". */
  readonly positions = new Map<string, Position>();
  readonly quarantine: QuarantinedCallback[] = [];
  /** Kept for operators, although they were booked. */
  readonly suspects: QuarantinedCallback[] = [];
  /** Which trade each execution was booked for. */
  readonly executions = new Map<string, string>();
  readonly epochs: { epoch: bigint; leader: string; timeline: number }[];
  /** Rises with every change of a trade, a balance or a position. */
  version = 0;
  /** Its wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Each customer's trades in the order placed. */
  protected readonly byCustomer = new Map<string, Trade[]>();
  /** Since when trades that were sent back wait; by id. */
  readonly queuedAt = new Map<string, number>();
  protected seq = 0n;
  /** The history that it writes: another one since commits were lost. */
  protected timeline = 1;

  constructor(partitions: number, now: () => number) {
    this.epochs = Array.from({ length: partitions }, () => ({ epoch: 0n, leader: '', timeline: 0 }));
    this.now = now;
  }

  openAccount(customerId: string, amount: bigint, shares: Record<string, number>): void {
    this.balances.set(customerId, { amount, held: 0n, buysBlocked: false, revision: 0 });
    for (const [ticker, quantity] of Object.entries(shares))
      this.positions.set(`${customerId} ${ticker}`, { quantity: BigInt(quantity), held: 0n });
  }

  /** A customer's trades in the order placed. */
  tradesOf(customerId: string): readonly Trade[] {
    return this.byCustomer.get(customerId) ?? [];
  }

  /** @returns how it is put back to what it is now, as a failover that loses commits does, or a restore */
  snapshot(): () => void {
    const maps = [this.trades, this.balances, this.positions, this.executions, this.queuedAt] as Map<string, unknown>[];
    const lists = [this.epochs, this.quarantine, this.suspects] as unknown[][];
    const kept = structuredClone({ maps, lists, seq: this.seq });
    return () => {
      const { seq, ...rows } = structuredClone(kept);
      for (const [i, map] of maps.entries()) refill(map, rows.maps[i] ?? new Map());
      for (const [i, list] of lists.entries()) list.splice(0, list.length, ...(rows.lists[i] ?? []));
      this.timeline += 1;
      this.seq = seq;
      this.byCustomer.clear();
      for (const trade of this.trades.values())
        this.byCustomer.set(trade.customerId, [...this.tradesOf(trade.customerId), trade]);
      this.version += 1;
    };
  }
}

function refill<K, V>(map: Map<K, V>, rows: Map<K, V>): void {
  map.clear();
  for (const [key, row] of rows) map.set(key, row);
}
