import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { READ_ONLY } from './errors.ts';
import { openPool, type PoolOptions } from './pool.ts';
import { type Queries, statementsOn } from './statement.ts';

/** A process's connections: never more than its pool, as PostgreSQL itself counts them. */
export interface Connections {
  /** For statements that change nothing. A few connections are left to them whatever the others are waiting for. */
  reads: Queries;
  /** For those that commit. */
  writes: Queries;
  /** How many connections belong to statements that were given up while the server is busy with them. */
  overdue(): number;
  end(): Promise<void>;
}

/** Of the pool, left to reads. */
const READS_SHARE = 1 / 5;
/** How often the server is asked whether it is still busy with statements that were given up. */
const ASK_MS = 1_000;

/**
 * A commit that waits for a synchronous standby heeds no statement_timeout, and its backend does not notice that its client has gone. To
 * connect anew in its place would leave it behind: while the standby is away, their number grows without bound. To cancel it would
 * make visible what is on one disk only. So whoever asked is told that the outcome is unknown, and the connection stays taken until the
 * answer comes, or until the server says that there is no such backend.
 */
export function openConnections(options: PoolOptions): Connections {
  const pool = openPool({ ...options, queryTimeoutMs: 0, applicationName: `stockbroker-${randomUUID().slice(0, 8)}` });
  // Whoever waits for an answer of it gets the error; of idle ones the pool tells.
  pool.on('connect', (client) => client.on('error', () => {}));
  const giveUpMs = options.statementTimeoutMs + 1_000;
  const permits = new Permits(Math.max(1, options.poolSize - Math.max(1, Math.floor(options.poolSize * READS_SHARE))));
  // Not busy with a commit: when a read is not answered, nothing of it is left behind but the connection.
  const reads = { query: (config: pg.QueryConfig) => ask(pool, config, giveUpMs, (client) => void client.end()) };
  const overdue = new Overdue((config) => reads.query(config));
  const write = async (config: pg.QueryConfig) => {
    await permits.take(options.statementTimeoutMs);
    return ask(
      pool,
      config,
      giveUpMs,
      (client) => overdue.add(client),
      (client) => {
        if (client !== undefined) overdue.delete(client);
        permits.give();
      },
    );
  };
  return {
    reads: { query: statementsOn(reads) },
    writes: { query: statementsOn({ query: write }) },
    overdue: () => overdue.size,
    end: async () => {
      overdue.end();
      if (!pool.ending) await pool.end();
    },
  };
}

/**
 * Runs a statement on a connection of the pool.
 *
 * @param onOverdue when it is not answered in time: its caller has been given an error, and the connection is still taken
 * @param onReleased when the connection is free again, or when there was none
 */
async function ask(
  pool: pg.Pool,
  config: pg.QueryConfig,
  giveUpMs: number,
  onOverdue: (client: pg.PoolClient) => void,
  onReleased: (client?: pg.PoolClient) => void = () => {},
): Promise<pg.QueryResult> {
  const client = await pool.connect().catch((error: unknown) => {
    onReleased();
    throw error;
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${giveUpMs} ms`));
      onOverdue(client);
    }, giveUpMs);
    const release = (isBroken: boolean) => {
      clearTimeout(timer);
      client.release(isBroken);
      onReleased(client);
    };
    client.query(config).then(
      (result) => {
        release(false);
        resolve(result);
      },
      (error: unknown) => {
        // What the server refuses leaves the connection as it was; one that was made while the database only read would stay so.
        release(!(error instanceof pg.DatabaseError) || error.severity !== 'ERROR' || error.code === READ_ONLY);
        reject(error);
      },
    );
  });
}

/** Connections whose statement was given up. */
class Overdue {
  readonly #query: (config: pg.QueryConfig) => Promise<pg.QueryResult>;
  readonly #clients = new Set<pg.PoolClient>();
  #timer: NodeJS.Timeout | undefined;

  constructor(query: (config: pg.QueryConfig) => Promise<pg.QueryResult>) {
    this.#query = query;
  }

  get size(): number {
    return this.#clients.size;
  }

  add(client: pg.PoolClient): void {
    this.#clients.add(client);
    this.#askLater();
  }

  delete(client: pg.PoolClient): void {
    this.#clients.delete(client);
  }

  /** Nobody waits for them any more. */
  end(): void {
    clearTimeout(this.#timer);
    for (const client of this.#clients) void client.end();
  }

  #askLater(): void {
    this.#timer ??= setTimeout(() => {
      // Where the server cannot be asked, nothing is known of them.
      void this.#ask()
        .catch(() => {})
        .finally(() => {
          this.#timer = undefined;
          if (this.#clients.size > 0) this.#askLater();
        });
    }, ASK_MS);
  }

  /**
   * Ends the connections whose backend is gone: the server was restarted, or another one stands in its place, and nobody said so. A
   * backend that is idle has answered, and the answer was lost: that one is ended too, and found gone the next time.
   */
  async #ask(): Promise<void> {
    const asked = [...this.#clients].map((client) => ({ client, pid: pidOf(client) }));
    const { rows } = await this.#query({
      // Backends of ours: another server's may have the same number.
      text: `/* readBackends */ SELECT pid, CASE WHEN state = 'idle' THEN pg_terminate_backend(pid) END FROM pg_stat_activity
        WHERE pid = ANY($1::int[]) AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()`,
      values: [asked.map(({ pid }) => pid)],
    });
    const there = new Set(rows.map((row: { pid: number }) => row.pid));
    for (const { client, pid } of asked) if (!there.has(pid) && this.#clients.has(client)) void client.end();
  }
}

/** Of the server's process that serves it; pg's types do not know it. */
function pidOf(client: pg.PoolClient): number {
  return (client as unknown as { processID: number }).processID;
}

/** So many at once; whoever comes too late waits, for a bounded time and in turn. */
class Permits {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  async take(timeoutMs: number): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(taken);
        reject(new Error(`no connection was free for a change within ${timeoutMs} ms`));
      }, timeoutMs);
      const taken = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(taken);
    });
  }

  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
