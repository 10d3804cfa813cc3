import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '@stockbroker/runtime';
import { readDatabaseIdentity, setDatabaseIdentity } from '@stockbroker/store/migrate';
import { createDatabase, demoCustomers, dropDatabase } from '@stockbroker/testkit/processes';
import { readArguments, readDatabaseUrl, readPartitions, runTool, UserError } from './cli.ts';
import { withDevDatabase } from './devDatabase.ts';
import { dataFolder } from './devFolder.ts';
import { migrateDatabase, openDemoAccounts, withoutPassword } from './prepareServers.ts';

const HELP = `npm run db:reset: drops the database and creates it again, migrated, with only the demo customers in it.

  npm run db:reset -- [options]
    --yes           required with DATABASE_URL: everything in that database is lost
    --data-dir DIR  data folder of npm start; default: STOCKBROKER_DATA_DIR, or .stockbroker/dev of this checkout
    --help          this text

Environment:
  DATABASE_URL      the database; default: the development database, together with the simulated exchange's journal
  PARTITIONS        partitions of the new database; default 100
`;

await runTool(async () => {
  const { values } = readArguments(HELP, { 'data-dir': { type: 'string' }, yes: { type: 'boolean', default: false } });
  const partitions = readPartitions();
  const url = readDatabaseUrl();
  if (url !== undefined) {
    if (!values.yes) throw new UserError(`Everything in ${withoutPassword(url)} would be lost. If that is wanted, add --yes`);
    await recreate(url, partitions);
  } else {
    const dataDir = dataFolder(values['data-dir']);
    await withDevDatabase(dataDir, async (own) => {
      await recreate(own, partitions);
      // It would report orders that the new database does not know.
      rmSync(join(dataDir, 'exchange'), { recursive: true, force: true });
    });
  }
  return 0;
});

async function recreate(url: string, partitions: number): Promise<void> {
  const onEvent = (line: string) => void process.stdout.write(`${line}\n`);
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  if (name === '') throw new UserError(`${withoutPassword(url)} names no database.`);
  // A connection to a database cannot drop that one.
  const elsewhere = new URL(url);
  elsewhere.pathname = name === 'postgres' ? '/template1' : '/postgres';
  const identity = await readDatabaseIdentity(url);
  try {
    await dropDatabase(elsewhere.href, name);
    await createDatabase(elsewhere.href, name);
  } catch (cause) {
    throw new UserError(`${withoutPassword(url)} cannot be made anew: ${reasonOf(cause)}`, { cause });
  }
  onEvent(`the database ${name} is new`);
  await migrateDatabase(url, partitions, onEvent);
  // NATS may know the one before: this is the same broker's.
  if (identity !== undefined) await setDatabaseIdentity(url, identity);
  await openDemoAccounts(url, demoCustomers, onEvent);
}
