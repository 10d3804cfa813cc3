import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { natsAt } from '@stockbroker/bus';
import { reasonOf } from '@stockbroker/runtime';
import type { OpeningAccount } from '@stockbroker/store';
import type { Account } from '@stockbroker/trading';
import { UserError } from './cli.ts';

const CONNECT_DEADLINE_MS = 3_000;

type Tell = (line: string) => void;

/** Opens accounts that do not exist. Returns all of them as they stand. */
export async function openDemoAccounts(url: string, accounts: readonly OpeningAccount[], onEvent: Tell): Promise<Account[]> {
  const { openAccounts, readAccounts } = await import('@stockbroker/store');
  const { openDatabase } = await import('@stockbroker/store/database');
  const db = openDatabase({ url, poolSize: 1, statementTimeoutMs: 30_000, onConnectionError: () => {} });
  try {
    const opened = await openAccounts(db, [...accounts]);
    if (opened > 0) onEvent(`${opened} customers have new accounts`);
    const records = await readAccounts(
      db,
      accounts.map(({ customerId }) => customerId),
    );
    return records.filter((record) => record !== null);
  } finally {
    await db.$disconnect();
  }
}

/**
 * Migrates a database, also one that is only being started. Returns its URL.
 *
 * @throws UserError when it cannot be reached or migrated, or has another number of partitions
 */
export async function migrateDatabase(database: string | Promise<string>, partitions: number, onEvent: Tell): Promise<string> {
  const [{ migrate }, url] = await Promise.all([import('@stockbroker/store/migrate'), database]);
  const migrated = await migrate(url, partitions).catch((cause: unknown) => {
    throw new UserError(`The database ${withoutPassword(url)} cannot be used: ${sentence(cause)}.`, { cause });
  });
  if (migrated.partitions !== partitions) {
    throw new UserError(
      `The database ${withoutPassword(url)} was created with ${migrated.partitions} partitions, and ${partitions} are asked for.\n` +
        `Use it as it is with PARTITIONS=${migrated.partitions}, or make a new one with: npm run db:reset`,
    );
  }
  const { length } = migrated.applied;
  onEvent(length === 0 ? 'the database is up to date' : `the database is migrated: ${migrated.applied.join(', ')}`);
  return url;
}

/** @throws UserError when none of the servers, separated by commas, is one that the broker can use */
export async function checkNats(urls: string): Promise<void> {
  const { servers, demandsTls } = natsAt(urls).NATS_URL; // Without credentials.
  await Promise.any(servers.map((server) => checkGreeting(server, demandsTls))).catch((cause: unknown) => {
    throw new UserError(`No NATS server answers at NATS_URL=${servers.join(',')}: ${sentence(cause)}.`, { cause });
  });
}

/** What a NATS server says of itself in the first line on each connection. */
interface Greeting {
  tls_required?: boolean;
  tls_available?: boolean;
  jetstream?: boolean;
  /** One without JetStream may stand before others that have it. */
  cluster?: string;
}

async function checkGreeting(server: string, demandsTls: boolean): Promise<void> {
  const greeting = await readGreeting(server);
  // A server that begins with the handshake of TLS greets after it.
  if (greeting === undefined && demandsTls) return;
  if (greeting === undefined) throw new Error('what listens there does not greet as a NATS server does');
  if (demandsTls && !greeting.tls_required && !greeting.tls_available)
    throw new Error('it speaks no TLS, which tls:// demands: write nats://');
  if (!greeting.jetstream && !greeting.cluster) throw new Error('it runs without JetStream: start it with nats-server -js');
}

/** Undefined when there is none in time, or another one. @throws when there is no connection */
async function readGreeting(server: string): Promise<Greeting | undefined> {
  const { hostname, port } = new URL(server);
  const socket = connect({ host: hostname, port: Number(port) || 4_222 });
  const signal = AbortSignal.timeout(CONNECT_DEADLINE_MS);
  try {
    await once(socket, 'connect', { signal });
    const line = await new Promise<string | undefined>((resolve) => {
      createInterface({ input: socket }).once('line', resolve);
      socket.once('close', () => resolve(undefined)).on('error', () => {}); // Which closes it.
      signal.addEventListener('abort', () => resolve(undefined));
    });
    return line?.startsWith('INFO ') ? (JSON.parse(line.slice('INFO '.length)) as Greeting) : undefined;
  } finally {
    socket.destroy();
  }
}

export function withoutPassword(url: string): string {
  const shown = new URL(url);
  shown.password = '';
  return shown.href;
}

/** Without the full stop that some end with. */
function sentence(error: unknown): string {
  return reasonOf(error).replace(/\.$/, '');
}
