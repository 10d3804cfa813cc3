import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '@stockbroker/testkit';

/** Runs this on a PostgreSQL of its own in that folder, which is gone afterwards. */
export async function onThrowAwayPostgres<T>(folder: string, run: (postgres: PostgresServer) => Promise<T>): Promise<T> {
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres') });
  try {
    return await run(postgres);
  } finally {
    await postgres.stop();
    rmSync(postgres.dataDir, { recursive: true, force: true });
  }
}
