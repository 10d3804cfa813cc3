import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { type Settings, settingsToReadBack, UnfitDatabaseError } from './connectionSettings.ts';

/** PostgreSQL 16 is the oldest that has all that the statements and settings ask for. */
const OLDEST_VERSION = 160_000;

/** Of a connection: what it is told, so that another can be told apart from it. */
const MARK = 'stockbroker.connection';

/** Weaker than what an acknowledged trade needs: it would not outlive a crash, or the loss of the primary. */
const WEAK_COMMITS = ['off', 'local', 'remote_write'];

const FIT_TIMEOUT_MS = 10_000;

type Answer = pg.QueryResult<{ name: string; setting: string }>;

type Connection = Pick<pg.ClientBase, 'query'>;

/**
 * Gives a new connection what it must have, and reads it back, in one round trip. Not as options of its start: a pooler in session mode
 * refuses those, and forgets them.
 *
 * @param warn told of what makes a server lose data in a crash
 * @returns the connection's mark
 * @throws UnfitDatabaseError
 */
export async function fitConnection(
  connection: Connection,
  wanted: Settings,
  warn: (sentence: string) => void = () => {},
): Promise<string> {
  const mark = randomUUID();
  const values = [...Object.entries(wanted), [MARK, mark]].map(
    (pair) => `(${pair.map((text) => pg.escapeLiteral(text ?? '')).join()})`,
  );
  const names = settingsToReadBack(wanted).map((name) => pg.escapeLiteral(name));
  const text = `
    SET statement_timeout TO ${Number(wanted.statement_timeout ?? 0)};
    SELECT pg_catalog.set_config(w.name, w.value, false) FROM (VALUES ${values.join()}) AS w(name, value)
    WHERE w.name = '${MARK}' OR pg_catalog.current_setting(w.name, true) IS NOT NULL;
    SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
    WHERE pg_catalog.current_setting('synchronous_commit') IN (${WEAK_COMMITS.map((each) => pg.escapeLiteral(each)).join()});
    SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN (${names.join()})`;
  // A server that goes silent now would keep the connection's place in the pool for ever.
  const answers = (await connection.query({ text, query_timeout: FIT_TIMEOUT_MS } as pg.QueryConfig)) as unknown as Answer[];
  checkSettings(wanted, new Map(answers.at(-1)?.rows.map(({ name, setting }) => [name, setting])), warn);
  return mark;
}

function checkSettings(wanted: Settings, found: ReadonlyMap<string, string>, warn: (sentence: string) => void): void {
  const version = Number(found.get('server_version_num'));
  if (!(version >= OLDEST_VERSION))
    throw new UnfitDatabaseError(
      `PostgreSQL ${OLDEST_VERSION / 10_000} or newer is needed, but the server is ${version / 10_000}: upgrade it`,
    );
  if (found.get('server_encoding') !== 'UTF8')
    throw new UnfitDatabaseError(
      `the database must have server_encoding "UTF8", but has "${found.get('server_encoding')}": create it with ENCODING 'UTF8'`,
    );
  for (const [name, value] of [...Object.entries(wanted), ['session_replication_role', 'origin'] as const]) {
    const got = found.get(name);
    if (got === undefined || got === value) continue; // This server's version may not have it.
    throw new UnfitDatabaseError(
      `a connection must have ${name} "${value}", but has "${got}": undo what sets it (ALTER DATABASE or ALTER ROLE … RESET ${name}), ` +
        'or let no pooler in between that changes it',
    );
  }
  if (WEAK_COMMITS.includes(found.get('synchronous_commit') ?? ''))
    throw new UnfitDatabaseError(
      'a connection must have synchronous_commit "on": it cannot be set, so acknowledged trades could be lost',
    );
  for (const name of ['fsync', 'full_page_writes'])
    if (found.get(name) === 'off') warn(`the server runs with ${name} off: a crash of its machine can lose or ruin the database`);
}

/**
 * Refuses what lets connections share the server's sessions: a pooler that hands on transactions or statements. What one connection is set
 * to would come and go, and prepared statements with it.
 *
 * @param other a connection of the same kind, made for this
 * @throws UnfitDatabaseError
 */
export async function refuseSharedSessions(connection: Connection, mark: string, other: Connection): Promise<void> {
  const ask = (text: string) => ({ text, query_timeout: FIT_TIMEOUT_MS });
  const read = async (of: Connection) => (await of.query<{ mark: string | null }>(ask(READ_MARK))).rows[0]?.mark;
  const seenByOther = await read(other);
  await other.query(ask(`SELECT pg_catalog.set_config('${MARK}', '${randomUUID()}', false)`));
  if (seenByOther === mark || (await read(connection)) !== mark)
    throw new UnfitDatabaseError(
      'DATABASE_URL leads through a pooler that shares sessions between connections, and settings and prepared statements get lost in it: ' +
        'connect to PostgreSQL itself, or set the pooler to session mode (PgBouncer: pool_mode = session)',
    );
}

const READ_MARK = `SELECT pg_catalog.current_setting('${MARK}', true) AS mark`;
