import { readArguments, readDatabaseUrl, readPartitions, runTool } from './cli.ts';
import { withDevDatabase } from './devDatabase.ts';
import { dataFolder, readConnection } from './devFolder.ts';
import { migrateDatabase } from './prepareServers.ts';

const HELP = `npm run db:migrate: brings a database up to date with prisma/migrations. npm start does so by itself.

  npm run db:migrate -- [options]
    --data-dir DIR  data folder of npm start; default: STOCKBROKER_DATA_DIR, or .stockbroker/dev of this checkout
    --help          this text

Environment:
  DATABASE_URL      the database; default: the development database, whose server is started temporarily if it is not running
  PARTITIONS        partitions of a new database; default 100
`;

await runTool(async () => {
  const { values } = readArguments(HELP, { 'data-dir': { type: 'string' } });
  const partitions = readPartitions();
  const dataDir = dataFolder(values['data-dir']);
  const migrate = (url: string) => migrateDatabase(url, partitions, (line) => void process.stdout.write(`${line}\n`));
  const url = readDatabaseUrl() ?? readConnection(dataDir)?.databaseUrl;
  if (url === undefined) await withDevDatabase(dataDir, migrate);
  else await migrate(url);
  return 0;
});
