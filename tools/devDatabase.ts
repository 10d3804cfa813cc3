import { join } from 'node:path';
import { startPostgres } from '@stockbroker/testkit/processes';
import { claimData } from './devFolder.ts';

/** Starts the development database for as long as `use` takes. @throws UserError while npm start runs it */
export async function withDevDatabase<T>(dataDir: string, use: (url: string) => Promise<T>): Promise<T> {
  // Exiting, unlike being ended by a signal, tells the server to stop.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  const release = claimData(dataDir);
  try {
    const server = await startPostgres({ dataDir: join(dataDir, 'postgres') });
    try {
      return await use(server.url);
    } finally {
      await server.stop();
    }
  } finally {
    release();
  }
}
