import type pg from 'pg';
import { type Floor, floorOf } from './floor.ts';
import { type BaselineRun, onOwnDatabase, withClient } from './on.ts';

export interface CommitFloor {
  /** One row inserted and durable, over one connection that nobody else uses. */
  one: Floor;
  /** Three of them, one after the other: what a trade's three statements cannot be faster than. */
  three: Floor;
}

const INSERT = { name: 'insert', text: 'INSERT INTO committed (value) VALUES ($1)', values: [1] };

export function commitFloor(on: BaselineRun): Promise<CommitFloor> {
  return onOwnDatabase(on, 'commit', (url) =>
    withClient(url, async (client) => {
      await refuseForgetful(client);
      await client.query('CREATE TABLE committed (id bigserial PRIMARY KEY, value int NOT NULL)');
      const one = await floorOf(on, () => client.query(INSERT));
      const three = await floorOf(on, async () => {
        for (let i = 0; i < 3; i += 1) await client.query(INSERT);
      });
      return { one, three };
    }),
  );
}

/** A floor of a database that may forget is none. */
async function refuseForgetful(client: pg.Client): Promise<void> {
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    const { rows } = await client.query<Record<string, string>>(`SHOW ${setting}`);
    if (rows[0]?.[setting] !== 'on') throw new Error(`${setting} is ${rows[0]?.[setting]}, not on: its commits are no measure`);
  }
}
