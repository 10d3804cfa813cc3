import pg from 'pg';
import { connectionSettings } from '../src/connectionSettings.ts';
import { BY_INDEX } from '../src/createStore.ts';
import { fitConnection } from '../src/fitConnection.ts';
import { type Queries, statementsOn } from '../src/statement.ts';

/** A node of a plan, as EXPLAIN tells it. */
interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

export interface Explained {
  /** Of 8 kB that the statement has looked at, each time that it did. */
  pages: number;
  /** Tables of which it has read everything. */
  readWhole: string[];
}

/**
 * What a statement does, by EXPLAIN (ANALYZE, BUFFERS) of its generic plan with the settings of the broker's connections. It is run, and
 * undone.
 */
export async function explain(url: string, run: (db: Queries) => Promise<unknown>): Promise<Explained> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await fitConnection(client, connectionSettings({ statementTimeoutMs: 0 }, BY_INDEX));
    const { text, values = [] } = await statementOf(run);
    await client.query(`PREPARE explained AS ${text}`);
    await client.query('BEGIN');
    const parameters = values.map((value) => literal(client, value)).join(', ');
    const execute = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained(${parameters})`;
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(execute);
    await client.query('ROLLBACK');
    const plan = rows[0]?.['QUERY PLAN'][0].Plan;
    if (plan === undefined) throw new Error('no plan');
    const whole = nodesOf(plan).filter((node) => node['Node Type'] === 'Seq Scan');
    return {
      pages: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
      readWhole: whole.flatMap((node) => node['Relation Name'] ?? []),
    };
  } finally {
    await client.end();
  }
}

/** The first statement that is run. It has an empty answer, with which its caller may not know what to do. */
async function statementOf(run: (db: Queries) => Promise<unknown>): Promise<pg.QueryConfig> {
  let seen: pg.QueryConfig | undefined;
  const query = async (config: pg.QueryConfig) => {
    seen ??= config;
    return { rows: [] } as unknown as pg.QueryResult;
  };
  await run({ query: statementsOn({ query }) }).catch(() => {});
  if (seen === undefined) throw new Error('no statement was run');
  return seen;
}

function literal(client: pg.Client, value: unknown): string {
  if (value === null) return 'NULL';
  // pg's types do not know it: as the driver itself sends a value.
  const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): string } }).utils;
  return client.escapeLiteral(String(prepareValue(value)));
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
