import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '@stockbroker/testkit';

/** What the server logs when one of its processes was killed or has failed: then it ends all connections, whoever did it. */
const BROKE = /was terminated by|exited with exit code|PANIC/;

/** Runs this on a PostgreSQL of its own in that folder, which is gone afterwards. @throws also what broke the server, in its words */
export async function onThrowAwayPostgres<T>(
  folder: string,
  run: (postgres: PostgresServer) => Promise<T>,
  settings: Record<string, string> = {},
): Promise<T> {
  const broke: string[] = [];
  const log = (line: string) => {
    if (BROKE.test(line) && broke.length < 10) broke.push(line);
  };
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), settings, log });
  try {
    return await run(postgres);
  } catch (error) {
    if (broke.length === 0) throw error;
    throw new Error(`PostgreSQL broke: ${broke.join('\n')}`, { cause: error });
  } finally {
    await postgres.stop();
    rmSync(postgres.dataDir, { recursive: true, force: true });
  }
}
