import { BY_INDEX, connectionSettings, fitConnection, openStatements, statementsOn } from '@stockbroker/store';
import type { Statements } from '@stockbroker/store/batching';
import pg from 'pg';

export interface OverPg {
  statements: Statements;
  /** Anything else, over the same connection. */
  query(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * The store's statements over one bare connection, each prepared once and planned as the store has them planned: what the database does
 * for them, with the least that a program in Node can add. A call waits for those before it.
 *
 * @param onNotice takes the lines of messages that the server sends beside its answers
 */
export async function openOverPg(url: string, onNotice: (line: string) => void = () => {}): Promise<OverPg> {
  const client = new pg.Client(url);
  client.on('notice', ({ message }) => message?.split('\n').forEach(onNotice));
  await client.connect();
  await fitConnection(client, connectionSettings({ statementTimeoutMs: 0 }, BY_INDEX));
  return {
    statements: openStatements({ query: statementsOn(client) }),
    query: (sql) => client.query(sql),
    close: () => client.end(),
  };
}
