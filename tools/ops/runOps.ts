import { inspect, parseArgs } from 'node:util';
import { UserError } from '../cli.ts';
import { dataFolder } from '../devFolder.ts';
import { CannotTellError, type OpsCommand, type Result } from './command.ts';
import { findTargets, Servers } from './servers.ts';

const HELP = `npm run ops: commands with which an operator inspects and changes a running broker.

  npm run ops -- stuck [--older-than 30s]     trades open for too long, and the cause of each
  npm run ops -- leases                       which worker leads what, since when; partitions without a leader
  npm run ops -- quarantine list              callbacks that were set aside; also: show <id>, resolve <id> --note "..."
  npm run ops -- blocked                      accounts whose buys an overdrawn fill has blocked
  npm run ops -- unblock <customer> --note "..."
  npm run ops -- reconcile [--day 2026-11-22] [--fix]
                                              compares a day of trades with the exchange's journal, by id
  npm run ops -- books                        proves the books of every customer on the live database
  npm run ops -- drain <worker> [--wait]      hands a worker's partitions over to the others, before it is stopped
  npm run ops -- actions                      what operators did by hand

  --json          prints one JSON document for programs; its "attention" says the same as the exit code
  --data-dir DIR  the data folder of the npm start to inspect, if it was started with one
  --help          this text; after a command's name: the help of that command

Exit code: 0 nothing to do, 1 attention is needed, 2 wrong usage, 3 unknown, because a server does not answer.

Environment:
  DATABASE_URL, NATS_URL, EXCHANGE_ADDRESS and EXCHANGE_API_KEY name the servers; the default is what npm start runs here.
`;

const COMMANDS: Record<string, () => Promise<OpsCommand>> = {
  stuck: async () => (await import('./stuck.ts')).stuck,
  leases: async () => (await import('./leases.ts')).leases,
  quarantine: async () => (await import('./quarantine.ts')).quarantine,
  blocked: async () => (await import('./blocked.ts')).blocked,
  unblock: async () => (await import('./blocked.ts')).unblock,
  reconcile: async () => (await import('./reconcile.ts')).reconcile,
  books: async () => (await import('./books.ts')).books,
  drain: async () => (await import('./drain.ts')).drain,
  actions: async () => (await import('./actions.ts')).actions,
};

export const COMMAND_NAMES = Object.keys(COMMANDS);

/** How the tool meets the world: a process, or a test. */
export interface Invocation {
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  out(text: string): void;
  say(text: string): void;
}

const COMMON = { json: { type: 'boolean' }, 'data-dir': { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
const USAGE = 2;
const CANNOT_TELL = 3;

/** Runs one command. @returns the exit code */
export async function runOps({ args, env, out, say }: Invocation): Promise<number> {
  let servers: Servers | undefined;
  try {
    const name = args.find((arg) => Object.hasOwn(COMMANDS, arg)) ?? '';
    const command = await COMMANDS[name]?.();
    const options = { ...COMMON, ...command?.options };
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    if (values.help === true) {
      out(command?.help ?? HELP);
      return 0;
    }
    if (command === undefined) throw noCommand(positionals[0]);
    servers = new Servers(findTargets(env, dataFolder(values['data-dir'] ?? env.STOCKBROKER_DATA_DIR)));
    const rest = positionals.toSpliced(positionals.indexOf(name), 1);
    const result = await command.run({ args: rest, values, servers, operator: env.OPERATOR, say: (line) => say(`${line}\n`) });
    out(values.json === true ? document(name, result) : `${result.text.trimEnd()}\n`);
    return result.attention ? 1 : 0;
  } catch (error) {
    const isUsage = error instanceof UserError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
    say(`${isUsage ? (error as Error).message : explain(error, servers)}\n`);
    if (env.DEBUG) say(`${inspect(error)}\n`);
    return isUsage ? USAGE : CANNOT_TELL;
  } finally {
    await servers?.close().catch(() => {}); // A connection that is lost anyway.
  }
}

function document(command: string, { attention, json }: Result): string {
  const whole = { command, attention, at: new Date(), ...json };
  return `${JSON.stringify(whole, (_key, value) => (typeof value === 'bigint' ? String(value) : value), 2)}\n`;
}

function explain(error: unknown, servers: Servers | undefined): string {
  return servers?.explain(error) ?? (error instanceof CannotTellError ? error.message : inspect(error));
}

function noCommand(given: string | undefined): UserError {
  const problem = given === undefined ? 'Say what to do' : `There is no command ${JSON.stringify(given)}`;
  return new UserError(`${problem}: ${COMMAND_NAMES.join(', ')}. More with --help.`);
}
