import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresServer } from '@stockbroker/testkit';
import type { Session } from './plan.ts';
import type { Outcome, Part } from './runs.ts';

/** What a baseline is given. */
interface BaselineOn {
  /** Of the server on which the broker is measured: a baseline makes a database of its own there. */
  databaseUrl: string;
  natsUrl: string;
  /** For files of its own. */
  folder: string;
  seconds: number;
  isStopped: () => boolean;
  onEvent: (line: string) => void;
}

type Baseline = (on: BaselineOn, session: Session) => Promise<Outcome>;

/** What the broker is compared with, by the names in PARTS. */
const BASELINES: Record<string, Baseline> = {};

export interface BaselineServers {
  postgres: PostgresServer;
  natsUrl: string;
}

export function baselineParts(session: Session, { postgres, natsUrl }: BaselineServers): Part[] {
  const { seconds, isStopped, onEvent } = session;
  const folder = join(session.folder, 'baselines');
  mkdirSync(folder, { recursive: true });
  const on = { databaseUrl: postgres.url, natsUrl, folder, seconds, isStopped, onEvent };
  return Object.entries(BASELINES).map(([name, baseline]) => ({ name, run: () => baseline(on, session) }));
}
