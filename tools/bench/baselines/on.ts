import { randomUUID } from 'node:crypto';
import { createDatabase, dropDatabase } from '@stockbroker/testkit';
import pg from 'pg';

/** What a baseline runs on. */
export interface BaselineRun {
  /** Superuser's URL of a PostgreSQL whose commits are durable. A baseline makes a database of its own there, and drops it. */
  databaseUrl: string;
  /** Of a nats-server with JetStream. A baseline leaves no stream behind. */
  natsUrl: string;
  /** For files, which PostgreSQL's account need not see. */
  folder: string;
  /** Of each thing measured. */
  seconds: number;
  /** True: end early, with what there is. */
  isStopped: () => boolean;
  onEvent(line: string): void;
}

/** Runs this on a new, empty database, which is gone afterwards. */
export async function onOwnDatabase<T>(
  { databaseUrl }: BaselineRun,
  name: string,
  use: (ownUrl: string) => Promise<T>,
): Promise<T> {
  const own = `bench-${name}-${randomUUID()}`;
  const url = await createDatabase(databaseUrl, own);
  try {
    return await use(url);
  } finally {
    await dropDatabase(databaseUrl, own);
  }
}

/** Repeats this until the time is over; once at least. @returns how often, and in how many seconds */
export async function repeatedly(
  { seconds, isStopped }: Pick<BaselineRun, 'seconds' | 'isStopped'>,
  once: () => Promise<void>,
): Promise<{ count: number; seconds: number }> {
  const startedMs = performance.now();
  let count = 0;
  let tookMs = 0;
  do {
    await once();
    count += 1;
    tookMs = performance.now() - startedMs;
  } while (tookMs < seconds * 1_000 && !isStopped());
  return { count, seconds: tookMs / 1_000 };
}

/** Runs queries over a connection of their own. */
export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
