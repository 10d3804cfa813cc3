import { StoreUnavailableError } from '@stockbroker/trade-flow';

/** Settings of a session, by the names and in the words of pg_settings: times are in ms. */
export type Settings = Readonly<Record<string, string>>;

/** The database, or the way to it, is not what the code needs. The message is a sentence that says what to do. */
export class UnfitDatabaseError extends StoreUnavailableError {
  constructor(sentence: string) {
    super(undefined);
    this.name = 'UnfitDatabaseError';
    this.message = sentence;
  }
}

/**
 * The one list of what the code presumes of every connection, whatever the server, the database and the role are set to (`ALTER DATABASE … SET`
 * and `ALTER ROLE … SET`). Set and read back when a connection is made.
 *
 * Not in it: default_transaction_read_only, by which operators may stop all writing, and of which the probe tells. synchronous_commit is
 * raised to `on` when it is less (fitConnection.ts), because more is an operator's choice.
 */
const PRESUMED: Settings = {
  // How values are written and read.
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  // How statements are read.
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  search_path: 'public, pg_temp',
  row_security: 'off', // A policy that would hide rows is an error then.
  // What they see, and when they end.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  exit_on_error: 'off',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  // A tool that hangs in a transaction must not keep its locks.
  idle_in_transaction_session_timeout: '60000',
};

/** Asked for and not demanded: systems differ in them. The server notices within two minutes that a client's machine is gone. */
const WISHED: Settings = { tcp_keepalives_idle: '60', tcp_keepalives_interval: '10', tcp_keepalives_count: '6' };

/** Read back too. */
const OF_THE_SERVER = [
  'server_version_num',
  'server_encoding',
  'session_replication_role', // Anything but origin switches off the triggers that keep final trades final.
  'synchronous_commit',
  'fsync',
  'full_page_writes',
];

export interface ConnectionLimits {
  /** 0: none. */
  statementTimeoutMs: number;
  /** 0: none. */
  lockTimeoutMs?: number;
}

/** @param more of this use alone */
export function connectionSettings({ statementTimeoutMs, lockTimeoutMs = 0 }: ConnectionLimits, more: Settings = {}): Settings {
  return { ...PRESUMED, ...WISHED, statement_timeout: String(statementTimeoutMs), lock_timeout: String(lockTimeoutMs), ...more };
}

export function settingsToReadBack(wanted: Settings): string[] {
  return [...Object.keys(wanted).filter((name) => !(name in WISHED)), ...OF_THE_SERVER];
}
