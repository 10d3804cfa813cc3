import { StoreLockedError, StoreRefusedError, StoreUnavailableError } from '@stockbroker/trade-flow';
import pg from 'pg';

/** SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DATA_EXCEPTION = '22';
const CONSTRAINT_VIOLATION = '23';
const TRANSACTION_ROLLBACK = '40';
/** A write on a standby, or in a session that began while the database or the role was set to read only. */
export const READ_ONLY = '25006';
/** A wait for a lock took longer than LOCK_TIMEOUT_MS. */
const LOCK_NOT_AVAILABLE = '55P03';
/** Connection, invalid authorization, resources, operator intervention, lock or object not available, system error, read-only standby. */
const UNAVAILABLE = ['08', '28', '53', '55', '57', '58', '25'];

/** The SQLSTATE in an error of pg's or of Prisma's, or undefined when the server never answered. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof pg.DatabaseError) return error.code;
  const meta = (error as { meta?: { driverAdapterError?: { cause?: { originalCode?: string } } } } | undefined)?.meta;
  return meta?.driverAdapterError?.cause?.originalCode;
}

/**
 * Deadlock or serialization failure: the server undid the statement and asks for it again. Likewise an execution that another statement
 * has booked meanwhile: the repetition sees it.
 */
function wantsRepeat(error: unknown): boolean {
  if (sqlState(error)?.startsWith(TRANSACTION_ROLLBACK) === true) return true;
  return error instanceof pg.DatabaseError && error.constraint === 'executions_pkey';
}

/**
 * The drivers' errors as the ports have them. Data and constraint errors are a row's fault; what the server could not do now is
 * StoreUnavailableError; a programming error (TypeError, bad SQL) stays what it is.
 */
function toStoreError(error: unknown): unknown {
  if (error instanceof StoreUnavailableError || error instanceof StoreRefusedError) return error;
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) return error;
  const state = sqlState(error);
  if (state === undefined) return new StoreUnavailableError(error);
  if (state === LOCK_NOT_AVAILABLE) return new StoreLockedError(error);
  const stateClass = state.slice(0, 2);
  if (stateClass === DATA_EXCEPTION || stateClass === CONSTRAINT_VIOLATION) return new StoreRefusedError(error);
  if (UNAVAILABLE.includes(stateClass) || stateClass === TRANSACTION_ROLLBACK) return new StoreUnavailableError(error);
  return error;
}

const MAX_REPEATS = 3;

/** Runs one statement, again when the server asks for it, and converts its errors. */
export async function attempt<T>(run: () => Promise<T>): Promise<T> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return await run();
    } catch (error) {
      if (repeats >= MAX_REPEATS || !wantsRepeat(error)) throw toStoreError(error);
    }
  }
}
