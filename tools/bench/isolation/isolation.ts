import type { PostgresServer } from '@stockbroker/testkit';
import { counted } from '../../cli.ts';
import { BenchBroker } from '../benchBroker.ts';
import { type Goal, judgeIsolation, without } from '../goals.ts';
import { afterCheckpoint, type Sweep } from '../onBroker.ts';
import type { Session } from '../plan.ts';
import { type Outcomes, type Part, runRounds } from '../runs.ts';
import { type Disturbance, disturbances } from './disturbances.ts';

export interface Isolation {
  trades: number;
  outcomes: Outcomes;
  goals: Goal[];
}

/**
 * What others notice of one customer, row or caller: the same load without and with each disturbance, in turns, on one broker. Its books
 * are not proven: some of these write past the broker.
 */
export async function measureIsolation(
  session: Session,
  postgres: PostgresServer,
  { trades, best }: { trades: number; best: Sweep },
): Promise<Isolation> {
  const { warmUpSeconds, seconds, onEvent, isStopped } = session;
  onEvent(`isolation: a customer with many trades has ${counted(trades, 'trade')}`);
  const bench = await BenchBroker.start({ ...session, postgres, name: 'isolation' });
  try {
    await bench.warmUp(isStopped);
    const run = () => bench.run({ concurrency: best.concurrency }, { warmUpSeconds, seconds });
    const disturbed = (disturbance: Disturbance): Part => ({
      name: disturbance.name,
      run: async () => {
        const end = await disturbance.begin(bench.broker);
        try {
          return await run();
        } finally {
          await end();
        }
      },
    });
    const all = disturbances(trades);
    const pairs = all.flatMap((disturbance) => [{ name: without(disturbance.name), run }, disturbed(disturbance)]);
    const parts = pairs.map((part) => afterCheckpoint(part, bench));
    const outcomes = await runRounds(parts, session);
    return {
      trades,
      outcomes,
      goals: judgeIsolation(
        outcomes,
        all.map(({ name }) => name),
      ),
    };
  } finally {
    await bench.close();
  }
}
