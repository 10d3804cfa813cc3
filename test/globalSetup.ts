import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@stockbroker/store/migrate';
import { createDatabase, startNats, startPostgres } from '@stockbroker/testkit';
import type { TestProject } from 'vitest/node';
import { bundleApps } from '../tools/bundleApps.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's URL of the PostgreSQL server that all files share; test/support/database.ts clones databases in it. */
    postgresUrl: string;
    /** Name of a migrated database to clone. Nobody may connect to it. */
    templateDatabase: string;
    /** A nats-server that all files share: names of streams and buckets must be a file's own. */
    natsUrl: string;
    /** Folder with the apps as production runs them. They start in half the time of the sources. */
    bundles: string;
  }
}

const PARTITIONS = 100;
/** Nobody kills this server (tests that do start their own), so that it need not wait for the disk. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };

/** Starts the servers that all test files share, once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-tests-'));
  chmodSync(folder, 0o755); // PostgreSQL may run under another account than root.
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const [postgres, nats, bundles] = await Promise.all([
      startPostgres({ dataDir: join(folder, 'postgres'), settings: SETTINGS }),
      startNats({ storeDir: join(folder, 'nats') }),
      bundleApps(),
    ]);
    const templateDatabase = 'template';
    await migrate(await createDatabase(postgres.url, templateDatabase), PARTITIONS);
    project.provide('postgresUrl', postgres.url);
    project.provide('templateDatabase', templateDatabase);
    project.provide('natsUrl', nats.url);
    project.provide('bundles', bundles);
    return async () => {
      await Promise.all([postgres.stop(), nats.stop()]);
      remove();
    };
  } catch (error) {
    remove();
    throw error;
  }
}
