import pg from 'pg';
import { connectionSettings } from '../src/connectionSettings.ts';
import { BY_INDEX, openStatements } from '../src/createStore.ts';
import { fitConnection } from '../src/fitConnection.ts';
import { listTrades } from '../src/listTrades.ts';
import { readAccounts } from '../src/readAccounts.ts';
import { type Queries, statementsOn } from '../src/statement.ts';

/** A node of a plan that reads a table. */
export interface TableScan {
  table: string;
  /** The node's kind, and what of the index it asks for, if anything. */
  how: string;
  isByIndex: boolean;
  /** Looked at, also those that a filter then left out. */
  rows: number;
  /** Of 8 kB, in memory or not. */
  pages: number;
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Cond'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Join Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

/** Pairs of rows that a join has looked at in vain. */
const comparedBy = (node: PlanNode) => (node['Rows Removed by Join Filter'] ?? 0) * node['Actual Loops'];

export interface Explained {
  statement: string;
  scans: TableScan[];
  /** Of 8 kB that it has looked at, each time that it did. */
  pages: number;
  /** Rows of joins that were compared and did not match. */
  compared: number;
}

/** The store's statements over one connection that is as the store's are, and what their plans did, as the server tells it of each run. */
export async function explainStatements(url: string) {
  const client = new pg.Client(url);
  const seen: Explained[] = [];
  client.on('notice', ({ message = '' }) => {
    const [, json] = /plan:\n([\s\S]*)/.exec(message) ?? [];
    if (json !== undefined) seen.push(toExplained(JSON.parse(json)));
  });
  await client.connect();
  await fitConnection(client, connectionSettings({ statementTimeoutMs: 0 }, BY_INDEX));
  await client.query("LOAD 'auto_explain'");
  for (const setting of ['log_min_duration = 0', 'log_analyze = on', 'log_buffers = on', 'log_timing = off', 'log_format = json'])
    await client.query(`SET auto_explain.${setting}`);
  await client.query('SET client_min_messages = log');
  const db: Queries = { query: statementsOn(client) };
  /** What has been run since this was last asked. */
  const taken = () => seen.splice(0);
  return {
    statements: {
      ...openStatements(db),
      listTrades: (pages: Parameters<typeof listTrades>[1]) => listTrades(db, pages),
      readAccounts: (customerIds: string[]) => readAccounts(db, customerIds),
    },
    taken,
    /** What is run here, and undone. */
    undone: async (run: (on: Queries) => Promise<unknown>) => {
      await client.query('BEGIN');
      taken();
      await run(db);
      // A reading is told of when the next one takes its place.
      await client.query('SELECT');
      const runs = taken();
      await client.query('ROLLBACK');
      return runs;
    },
    close: () => client.end(),
  };
}

function toExplained(told: { 'Query Text': string; Plan: PlanNode }): Explained {
  const nodes: PlanNode[] = [];
  const visit = (node: PlanNode) => {
    nodes.push(node);
    node.Plans?.forEach(visit);
  };
  visit(told.Plan);
  const scans = nodes.flatMap((node): TableScan[] => {
    const { 'Node Type': kind, 'Relation Name': table, 'Index Cond': condition, Plans: parts = [] } = node;
    if (table === undefined || kind === 'ModifyTable') return [];
    const conditions = [condition, ...parts.map((part) => part['Index Cond'])].filter((each) => each !== undefined);
    const rows = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
    return [
      {
        table,
        how: [kind, ...conditions].join(' '),
        isByIndex: conditions.length > 0,
        rows: rows * node['Actual Loops'],
        pages: node['Shared Hit Blocks'] + node['Shared Read Blocks'],
      },
    ];
  });
  const statement = /^\s*\/\* (\w+) \*\//.exec(told['Query Text'])?.[1] ?? told['Query Text'].slice(0, 60);
  const pages = told.Plan['Shared Hit Blocks'] + told.Plan['Shared Read Blocks'];
  return { statement, scans, pages, compared: nodes.reduce((sum, node) => sum + comparedBy(node), 0) };
}
