import { once } from 'node:events';
import { connect } from 'node:net';
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

/** @throws UserError when none of the servers, separated by commas, takes connections */
export async function checkNats(urls: string): Promise<void> {
  const { servers } = natsAt(urls).NATS_URL; // Without credentials.
  const attempts = servers.map(async (server) => {
    const { hostname, port } = new URL(server);
    const socket = connect({ host: hostname, port: Number(port) || 4_222 });
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_DEADLINE_MS) });
    } finally {
      socket.destroy();
    }
  });
  await Promise.any(attempts).catch((cause: unknown) => {
    throw new UserError(`No NATS server answers at NATS_URL=${servers.join(',')}: ${sentence(cause)}.`, { cause });
  });
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
