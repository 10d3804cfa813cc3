import { setTimeout as delay } from 'node:timers/promises';
import { inspect, type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { reasonOf } from '@stockbroker/runtime';
import { sweepRuns } from '@stockbroker/testkit/runs';

/** Something that the user can mend: shown as it is, without a stack trace. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/** Errors whose messages are written for people, whoever throws them. */
const FOR_PEOPLE = [
  'UserError',
  'RpcError',
  'BrokerError',
  'FolderInUseError',
  'NoNatsServerError',
  'ServerStartError',
  'AppFailedError',
  'ConfigError',
];

/** Of a tool whose output cannot be written, as sysexits.h has it: no other code of a tool may be taken for this. */
const CANNOT_WRITE = 74;
/** As a shell tells it of a program that SIGPIPE has ended. */
const READER_GONE = 141;
/** How long a tool that goes on without a reader waits for one at its end. */
const LAST_WORDS_MS = 1_000;

/** What a tool does when nobody takes its output: it ends, or it goes on, because it runs servers. */
export type WithoutOutput = 'end' | 'go on';

/**
 * Runs a tool, and ends the process, whatever is still open: with what `main` returns, or 1 and the error on standard error. Before, it
 * removes what killed runs have left.
 */
export async function runTool(main: () => Promise<number>, withoutOutput: WithoutOutput = 'end'): Promise<void> {
  guardOutput(withoutOutput);
  const code = await sweepRuns()
    .then(() => keepToOwnServers(main))
    .catch((error: unknown) => {
      process.stderr.write(`${describe(error)}\n`);
      return 1;
    });
  // Ended at once, it would take along what a reader of its output has not taken yet.
  const taken = Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
  );
  await (withoutOutput === 'end' ? taken : Promise.race([taken, delay(LAST_WORDS_MS)]));
  process.exit(code);
}

/** A full disk, or a reader that has gone (`npm run ops -- stuck | head -1`), ends no tool with a stack trace. */
export function guardOutput(withoutOutput: WithoutOutput = 'end'): void {
  process.stderr.on('error', () => {}); // There is nowhere else to say it.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (withoutOutput === 'go on') return;
    if (error.code === 'EPIPE') process.exit(READER_GONE);
    process.stderr.write(`The output cannot be written: ${error.message}\n`);
    process.exit(CANNOT_WRITE);
  });
}

/**
 * Variables that the PostgreSQL driver reads by itself bend connections to servers of our own, and DATABASE_URL says all that is to be
 * said of another one.
 */
async function keepToOwnServers(main: () => Promise<number>): Promise<number> {
  const { DATABASE_URL: url = '', PGSSLMODE: mode = '' } = process.env;
  if (url !== '' && mode !== '' && !/[?&]ssl(mode)?=/.test(url)) {
    throw new UserError(`PGSSLMODE does not count here: say it in DATABASE_URL, with sslmode=${mode} at its end, or unset it.`);
  }
  dropPostgresVariables();
  return main();
}

export function dropPostgresVariables(): void {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]+$/.test(name) && name !== 'PGBENCH') delete process.env[name];
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS'))
    return `${error.message}\nRun it with --help to see what it takes.`;
  if (process.env.DEBUG) return inspect(error);
  return FOR_PEOPLE.includes(error.name) || isOfTheSystem(error) ? reasonOf(error) : inspect(error);
}

/** A file or folder that cannot be read or written, a full disk: its message names both, and its stack says nothing to a user. */
function isOfTheSystem(error: NodeJS.ErrnoException): boolean {
  return ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'].includes(error.code ?? '') && error.path !== undefined;
}

/** Parses the command line, strictly; prints `help` and ends the process when it asks for that. */
export function readArguments<const T extends ParseArgsOptionsConfig>(help: string, options: T) {
  const { values, positionals } = parseArgs({
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
    strict: true,
  });
  if ((values as { help?: boolean }).help === true) {
    process.stdout.write(help);
    process.exit(0);
  }
  return { values, positionals };
}

/** @throws UserError when it is not a whole number in the range */
export function wholeNumber(what: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UserError(`${what} must be a whole number from ${min} to ${grouped(max)}, but is ${JSON.stringify(text)}.`);
}

/** How many partitions a new database gets: PARTITIONS, or 100. */
export function readPartitions(): number {
  return wholeNumber('PARTITIONS', process.env.PARTITIONS ?? '100', { min: 1, max: 10_000 });
}

/** The user's own database, if DATABASE_URL names one. */
export function readDatabaseUrl(): string | undefined {
  const url = process.env.DATABASE_URL || undefined;
  if (url === undefined || /^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  throw new UserError('DATABASE_URL must be like postgresql://user:password@host:port/database.');
}

/** "1234567.8900" → "$1,234,567.89": at least two decimals, more only where they say something. */
export function dollars(amount: string): string {
  const [, sign = '', whole = '', decimals = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  const shown = decimals.replace(/0+$/, '').padEnd(2, '0');
  return `${sign}$${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${shown}`;
}

export function grouped(value: number | bigint): string {
  return value.toLocaleString('en-US');
}

export function counted(count: number | bigint, thing: string): string {
  return `${grouped(count)} ${thing}${Number(count) === 1 ? '' : 's'}`;
}

/** Rows in columns, the ones in `right` flush right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)));
  return rows.map((row) => line(row).join('  ').trimEnd()).join('\n');
}

export interface StopSignal {
  /** Resolves when the user wants the tool to stop. */
  requested: Promise<undefined>;
  isRequested(): boolean;
}

/** Listens for Ctrl-C, SIGTERM and a hang-up; `force` is called at the second of them. */
export function stopSignal(force: () => void): StopSignal {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let requested = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (requested) force();
      requested = true;
      resolve(undefined);
    });
  }
  return { requested: promise, isRequested: () => requested };
}
