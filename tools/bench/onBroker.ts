import type { BooksReport, PostgresServer } from '@stockbroker/testkit';
import { counted } from '../cli.ts';
import { BenchBroker, type Measured } from './benchBroker.ts';
import type { OldTrades, Session } from './plan.ts';
import type { Part } from './runs.ts';

/** How fast the broker was with so many trades open at once. */
export interface Sweep {
  concurrency: number;
  run: Measured;
}

export interface Proven<T> {
  measured: T;
  /** Of all that was traded meanwhile; undefined when the user has stopped it. */
  books: BooksReport | undefined;
}

/** Measures on a broker of its own that has warmed up, then proves its books. */
export async function onBenchBroker<T>(
  session: Session,
  { postgres, name, old }: { postgres: PostgresServer; name: string; old?: OldTrades },
  use: (bench: BenchBroker) => Promise<T>,
): Promise<Proven<T>> {
  const bench = await BenchBroker.start({ ...session, postgres, name, old });
  try {
    session.onEvent(`${counted(session.customers, 'customer')}, ${counted(session.workers, 'worker')}`);
    await bench.warmUp(session.isStopped);
    const measured = await use(bench);
    if (session.isStopped()) return { measured, books: undefined };
    session.onEvent('checking the books');
    return { measured, books: await bench.books() };
  } finally {
    await bench.close();
  }
}

/** So that nobody's measurement writes what another one has left. */
export function afterCheckpoint(part: Part, bench: BenchBroker): Part {
  const run = async () => {
    await bench.broker.db.$executeRawUnsafe('CHECKPOINT');
    return part.run();
  };
  return { name: part.name, run };
}
