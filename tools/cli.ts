import { inspect, type ParseArgsOptionsConfig, parseArgs } from 'node:util';

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
];

/** Runs a tool, and ends the process, whatever is still open: with what `main` returns, or 1 and the error on standard error. */
export async function runTool(main: () => Promise<number>): Promise<void> {
  const code = await main().catch((error: unknown) => {
    process.stderr.write(`${describe(error)}\n`);
    return 1;
  });
  // Ended at once, it would take along what a reader of its output has not taken yet.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  process.exit(code);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS'))
    return `${error.message}\nRun it with --help to see what it takes.`;
  return FOR_PEOPLE.includes(error.name) && !process.env.DEBUG ? error.message : inspect(error);
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
