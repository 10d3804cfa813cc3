import { UnfitDatabaseError } from './connectionSettings.ts';
import { attempt, READ_ONLY, sqlState } from './errors.ts';
import type { Queries, RunStatement } from './statement.ts';

/** Disk full, and errors of the server's files. */
const CANNOT_WRITE = /^(53100|58)/;
/** After a write was refused so, for this long: it is known only by writing, and only traffic writes. */
const REMEMBERED_MS = 10_000;

/** Remembers for a while that the server could not write, of which nothing but a write can tell. */
export class WriteRefusals {
  #last: { atMs: number; why: string } | undefined;

  watch(query: RunStatement): RunStatement {
    return async (text, ...values) => {
      try {
        return await query(text, ...values);
      } catch (error) {
        if (CANNOT_WRITE.test(sqlState(error) ?? '')) this.#last = { atMs: performance.now(), why: (error as Error).message };
        throw error;
      }
    };
  }

  /** Why, if it was lately. */
  problem(): string | undefined {
    return this.#last === undefined || performance.now() - this.#last.atMs > REMEMBERED_MS ? undefined : this.#last.why;
  }
}

/**
 * Fails when no trade could be stored now. A change of no row is refused like any other by a standby, by a database or role that is set to
 * read only, and to a role that may not write; and writes nothing. When it fails, the pool drops the connection: one that was made
 * while the database was set to read only would stay so.
 */
export async function probeDatabase(db: Queries, refusals: WriteRefusals): Promise<void> {
  try {
    await attempt(() => db.query`UPDATE database_identity SET id = id WHERE false`);
  } catch (error) {
    if (sqlState((error as Error).cause) !== READ_ONLY) throw error;
    const [server] = await attempt(() => db.query<{ standby: boolean }>`SELECT pg_is_in_recovery() AS standby`);
    throw new UnfitDatabaseError(
      server?.standby === true
        ? 'the database only reads: DATABASE_URL leads to a standby, and must lead to the primary'
        : 'the database only reads: default_transaction_read_only is on for the server, the database or the role',
    );
  }
  const problem = refusals.problem();
  if (problem !== undefined)
    throw new UnfitDatabaseError(`the database could not write less than ${REMEMBERED_MS / 1_000} s ago: ${problem}`);
}
