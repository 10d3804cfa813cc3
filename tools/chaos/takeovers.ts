import type { Tables } from '@stockbroker/store';
import { openDatabase } from '@stockbroker/store/database';

const STATEMENT_TIMEOUT_MS = 3_000;

interface Kill {
  worker: string;
  /** Wall clock. */
  atMs: number;
  partitions: Set<number>;
}

export interface Takeover {
  worker: string;
  killedAtMs: number;
  partition: number;
  /** From the kill to the partition's next order that went to the exchange. */
  tookMs: number;
}

/** Notes who led what when a worker was killed, and finds in the final tables how long each partition waited. */
export class Takeovers {
  readonly #kills: Kill[] = [];
  readonly #db;

  constructor(databaseUrl: string) {
    this.#db = openDatabase({
      url: databaseUrl,
      poolSize: 1,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      onConnectionError: () => {},
    });
  }

  /** Call right before a kill, and what it returns in the moment of it. While the database is away, nothing is known. */
  async killing(worker: string): Promise<(() => void) | undefined> {
    try {
      const led = await this.#db.partitionLease.findMany({ where: { leader: { startsWith: `${worker}-` } } });
      const partitions = new Set(led.map(({ partition }) => partition));
      return () => this.#kills.push({ worker, atMs: Date.now(), partitions });
    } catch {
      return undefined;
    }
  }

  /** For each partition with a trade that waited when its leader was killed: when the next of its trades was sent. */
  measured({ trades }: Tables): Takeover[] {
    return this.#kills.flatMap(({ worker, atMs, partitions }) => {
      const waited = new Set<number>();
      const next = new Map<number, number>();
      for (const { partition, createdAt, submittedAt } of trades) {
        if (submittedAt === null || !partitions.has(partition) || submittedAt.getTime() <= atMs) continue;
        if (createdAt.getTime() <= atMs) waited.add(partition);
        next.set(partition, Math.min(next.get(partition) ?? Number.POSITIVE_INFINITY, submittedAt.getTime()));
      }
      return [...waited].map((partition) => {
        return { worker, killedAtMs: atMs, partition, tookMs: (next.get(partition) ?? atMs) - atMs };
      });
    });
  }

  async close(): Promise<void> {
    await this.#db.$disconnect();
  }
}
