import type { PostgresServer } from '@stockbroker/testkit';
import { PARTS } from './goals.ts';
import { type Explained, explainHotStatements } from './large/explainHotStatements.ts';
import { type TradeSize, tradeSize } from './large/tradeSize.ts';
import { afterCheckpoint, onBenchBroker, type Proven, type Sweep } from './onBroker.ts';
import type { OldTrades, Session } from './plan.ts';
import { type Outcomes, runRounds } from './runs.ts';

export interface Large {
  /** Of the database with many customers and old trades. */
  size: TradeSize;
  explained: Explained[];
}

/** The broker with its customers and empty tables, and with many customers and old trades, in turns. */
export async function measureLarge(
  session: Session,
  postgres: PostgresServer,
  { old, best }: { old: OldTrades; best: Sweep },
): Promise<{ proven: Proven<Outcomes>[]; large: Large | undefined }> {
  const { seconds, warmUpSeconds, onEvent, isStopped } = session;
  onEvent(`at ${old.customers} customers and ${old.customers * old.tradesOfEach} old trades`);
  let largeUrl = '';
  const both = await onBenchBroker(session, { postgres, name: 'large', old }, (large) => {
    largeUrl = large.broker.databaseUrl;
    return onBenchBroker(session, { postgres, name: 'small' }, (small) => {
      const part = (name: string, bench: typeof large) =>
        afterCheckpoint({ name, run: () => bench.run({ concurrency: best.concurrency }, { warmUpSeconds, seconds }) }, bench);
      return runRounds([part(PARTS.small, small), part(PARTS.large, large)], session);
    });
  });
  const small = both.measured;
  const proven = [small, { measured: {}, books: both.books }];
  if (isStopped()) return { proven, large: undefined };
  onEvent('what hot statements touch there');
  return { proven, large: { size: await tradeSize(largeUrl), explained: await explainHotStatements(largeUrl) } };
}
