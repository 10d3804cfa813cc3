import { tmpdir } from 'node:os';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { commitFloor } from '../../tools/bench/baselines/commitFloor.ts';
import { straightforwardBroker } from '../../tools/bench/baselines/straightforwardBroker.ts';

// That each baseline measures something, and that its books are exact, is seen by `npm run bench -- --quick` in bench.test.ts.
const on = {
  databaseUrl: inject('postgresUrl'),
  natsUrl: inject('natsUrl'),
  folder: tmpdir(),
  seconds: 3_600,
  isStopped: () => true,
  onEvent: () => {},
};

test('baselines: commits that may be forgotten are refused', async () => {
  await expect(commitFloor(on)).rejects.toThrow('fsync is off');
});

test('baselines: a run that is stopped ends with what there is, and no database is left', async () => {
  const before = await databases();
  const { tried } = await straightforwardBroker(on, { customers: 10, clients: [1, 2] });
  expect(tried).toHaveLength(1);
  expect((await databases()).filter((name) => !before.includes(name))).toEqual([]);
});

async function databases(): Promise<string[]> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database WHERE datname LIKE 'bench%'");
  await client.end();
  return rows.map(({ datname }) => datname);
}
