import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresServer } from '@stockbroker/testkit';
import { batchedStatements } from './baselines/batchedStatements.ts';
import { commitFloor } from './baselines/commitFloor.ts';
import { echoFloor } from './baselines/echoFloor.ts';
import type { BaselineRun } from './baselines/on.ts';
import { pgbenchTpcB } from './baselines/pgbenchTpcB.ts';
import { publishFloor } from './baselines/publishFloor.ts';
import { straightforwardBroker } from './baselines/straightforwardBroker.ts';
import { PARTS } from './goals.ts';
import type { Session } from './plan.ts';
import type { Outcome, Part } from './runs.ts';

/** What the broker is compared with. */
const BASELINES: Record<string, (on: BaselineRun, session: Session) => Promise<Outcome>> = {
  [PARTS.tpcB]: (on, { isQuick }) => pgbenchTpcB(on, isQuick ? { scale: 1 } : {}),
  [PARTS.straightforward]: (on, { isQuick, customers }) =>
    straightforwardBroker(on, { customers, ...(isQuick ? { clients: [4] } : {}) }),
  [PARTS.batched]: (on, { isQuick, customers }) =>
    batchedStatements(on, { customers, ...(isQuick ? { batches: [{ rows: 64, atOnce: 2 }] } : {}) }),
  [PARTS.commit]: async (on) => (await commitFloor(on)).one,
  [PARTS.echo]: echoFloor,
  [PARTS.publish]: publishFloor,
};

export interface BaselineServers {
  postgres: PostgresServer;
  natsUrl: string;
}

export function baselineParts(session: Session, { postgres, natsUrl }: BaselineServers): Part[] {
  const on = baselineRun(session, { postgres, natsUrl });
  return Object.entries(BASELINES).map(([name, baseline]) => ({ name, run: () => baseline(on, session) }));
}

export function baselineRun(
  { seconds, isStopped, onEvent, ...session }: Session,
  { postgres, natsUrl }: BaselineServers,
): BaselineRun {
  const folder = join(session.folder, 'baselines');
  mkdirSync(folder, { recursive: true });
  return { databaseUrl: postgres.url, natsUrl, folder, seconds, isStopped, onEvent };
}
