import { BY_INDEX, type Database, openStatements } from '@stockbroker/store';
import type { Statements } from '@stockbroker/store/batching';
import pg from 'pg';

export interface OverPg {
  statements: Statements;
  /** Anything else, over the same connection. */
  query(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * The store's statements over one bare connection, each prepared once and planned as the store has them planned: what the database does for them, with the least that a program
 * in Node can add. A call waits for those before it.
 *
 * @param onNotice takes the lines of messages that the server sends beside its answers
 */
export async function openOverPg(url: string, onNotice: (line: string) => void = () => {}): Promise<OverPg> {
  const client = new pg.Client({ connectionString: url, options: BY_INDEX, types: { getTypeParser } });
  client.on('notice', ({ message }) => message?.split('\n').forEach(onNotice));
  await client.connect();
  const $queryRaw = async (strings: readonly string[], ...values: unknown[]) =>
    (await client.query(toQuery(strings, values))).rows;
  // The statements ask of a database nothing else.
  const database = { $queryRaw } as unknown as Database;
  return { statements: openStatements(database), query: (sql) => client.query(sql), close: () => client.end() };
}

const NAME = /^\s*\/\* (\w+) \*\//;

/** Values become parameters; a piece of SQL among them, such as the list of a trade's columns, becomes part of the text. */
function toQuery(strings: readonly string[], given: readonly unknown[]): { name?: string; text: string; values: unknown[] } {
  const values: unknown[] = [];
  const text = strings.reduce((before, after, i) => {
    const value = given[i - 1];
    return `${before}${isSql(value) ? value.sql : `$${values.push(value)}`}${after}`;
  });
  const name = NAME.exec(text)?.[1];
  return { ...(name === undefined ? {} : { name }), text, values };
}

function isSql(value: unknown): value is { sql: string } {
  if (typeof value !== 'object' || value === null || !('sql' in value && 'values' in value)) return false;
  if ((value.values as unknown[]).length > 0) throw new Error('a piece of SQL with parameters of its own is not expected here');
  return true;
}

/** As Prisma has them: whole numbers of 64 bits are bigint. */
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  return oid === pg.types.builtins.INT8 ? BigInt : pg.types.getTypeParser(oid, format);
}
