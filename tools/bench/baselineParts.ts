import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase, dropDatabase, type PostgresServer } from '@stockbroker/testkit';
import type { Percentiles } from '../percentiles.ts';
import type { Part } from './runs.ts';

/** What a baseline is given: an empty database on the server on which the broker is measured. */
interface BaselineOn {
  databaseUrl: string;
  natsUrl: string;
  /** For files of its own. */
  folder: string;
  seconds: number;
  isStopped: () => boolean;
  onEvent: (line: string) => void;
}

type Baseline = (on: BaselineOn) => Promise<{ perSecond?: number; ms?: Percentiles }>;

/** What the broker is compared with, by the names in PARTS. */
const BASELINES: Record<string, Baseline> = {};

export interface BaselineOptions extends Omit<BaselineOn, 'databaseUrl'> {
  postgres: PostgresServer;
}

/** Each measurement has a database of its own, which is gone afterwards. */
export function baselineParts({ postgres, folder, ...on }: BaselineOptions): Part[] {
  return Object.entries(BASELINES).map(([name, baseline]) => ({
    name,
    run: async () => {
      const own = join(folder, 'baseline');
      mkdirSync(own, { recursive: true });
      const databaseUrl = await createDatabase(postgres.url, 'baseline');
      try {
        return await baseline({ ...on, databaseUrl, folder: own });
      } finally {
        await dropDatabase(postgres.url, 'baseline');
      }
    },
  }));
}
