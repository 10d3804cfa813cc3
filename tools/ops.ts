import { inspect } from 'node:util';
import { readArguments, UserError } from './cli.ts';
import { dataFolder } from './devFolder.ts';
import type { OpsCommand, Result } from './ops/command.ts';
import { findTargets, Servers } from './ops/servers.ts';

const HELP = `npm run ops: what an operator asks a running broker, and does to it.

  npm run ops -- stuck [--older-than 30s]     trades open for too long, and why each is
  npm run ops -- leases                       who leads what, since when; partitions without a leader
  npm run ops -- quarantine list              callbacks that were set aside; also: show <id>, resolve <id> --note "..."
  npm run ops -- blocked                      accounts whose buys an overdrawn fill has blocked
  npm run ops -- unblock <customer> --note "..."
  npm run ops -- reconcile [--day 2026-11-22] [--fix]
                                              a day of trades against the exchange's journal, by id
  npm run ops -- books                        proves the books of every customer, on the live database
  npm run ops -- drain <worker> [--wait]      a worker gives its partitions to the others, before it is stopped
  npm run ops -- actions                      what operators did by hand

  --json          one JSON document for programs; "attention" says the same as the exit code
  --data-dir DIR  data of the npm start to look at, when that was given one
  --help          this text; after a command's name: all about that command

Exit code: 0 nothing to do, 1 attention is needed, 2 wrong usage, 3 could not find out (a server does not answer).

Environment:
  DATABASE_URL, NATS_URL, EXCHANGE_ADDRESS and EXCHANGE_API_KEY name the servers; without them it is what npm start runs here.
`;

const COMMANDS: Record<string, () => Promise<OpsCommand>> = {
  stuck: async () => (await import('./ops/stuck.ts')).stuck,
  leases: async () => (await import('./ops/leases.ts')).leases,
  quarantine: async () => (await import('./ops/quarantine.ts')).quarantine,
  blocked: async () => (await import('./ops/blocked.ts')).blocked,
  unblock: async () => (await import('./ops/blocked.ts')).unblock,
  reconcile: async () => (await import('./ops/reconcile.ts')).reconcile,
  books: async () => (await import('./ops/books.ts')).books,
  drain: async () => (await import('./ops/drain.ts')).drain,
  actions: async () => (await import('./ops/actions.ts')).actions,
};

const COMMON = { json: { type: 'boolean' }, 'data-dir': { type: 'string' } } as const;
const [USAGE, CANNOT_TELL] = [2, 3];

process.exitCode = await main();

async function main(): Promise<number> {
  let servers: Servers | undefined;
  try {
    const name = process.argv.slice(2).find((arg) => Object.hasOwn(COMMANDS, arg));
    const load = COMMANDS[name ?? ''];
    if (name === undefined || load === undefined) throw noCommand(readArguments(HELP, COMMON).positionals[0]);
    const command = await load();
    const { values, positionals } = readArguments(command.help, { ...COMMON, ...command.options });
    const given = values as Record<string, string | boolean | undefined>;
    servers = new Servers(findTargets(process.env, dataFolder(values['data-dir'])));
    const args = positionals.toSpliced(positionals.indexOf(name), 1);
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    const result = await command.run({ args, values: given, servers, say });
    print(name, result, values.json === true);
    return result.attention ? 1 : 0;
  } catch (error) {
    return tell(error, servers);
  } finally {
    await servers?.close().catch(() => {}); // A connection that is lost anyway.
  }
}

function print(command: string, { attention, text, json }: Result, asJson: boolean): void {
  const document = { command, attention, at: new Date(), ...json };
  const out = asJson ? JSON.stringify(document, (_key, value) => (typeof value === 'bigint' ? String(value) : value), 2) : text;
  process.stdout.write(`${out.trimEnd()}\n`);
}

/** @returns the exit code */
function tell(error: unknown, servers: Servers | undefined): number {
  const isUsage = error instanceof UserError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
  const words = isUsage ? (error as Error).message : (servers?.explain(error) ?? explainWithout(error));
  process.stderr.write(`${words}\n`);
  if (process.env.DEBUG) process.stderr.write(`${inspect(error)}\n`);
  return isUsage ? USAGE : CANNOT_TELL;
}

function explainWithout(error: unknown): string {
  return error instanceof Error && error.name === 'CannotTellError' ? error.message : inspect(error);
}

function noCommand(given: string | undefined): UserError {
  const problem = given === undefined ? 'Say what to do' : `There is no command ${JSON.stringify(given)}`;
  return new UserError(`${problem}: ${Object.keys(COMMANDS).join(', ')}. More with --help.`);
}
