import { copyPostgres, markStandby, writeSettings } from './copyPostgres.ts';
import { eventually } from './eventually.ts';
import { type Gate, openGate } from './gate.ts';
import { type CreateData, withClient } from './postgres.ts';
import { PairFolder, PostgresMember } from './postgresMember.ts';

export interface PostgresPairOptions {
  /** Holds a folder for each server. Data of an earlier run are kept: those of its last primary. */
  dataDir: string;
  /** PostgreSQL parameters of both, over the ones below. */
  settings?: Record<string, string>;
  log?: (line: string) => void;
}

/** What people want to know of a pair. */
export interface PairState {
  primary: { name: string; running: boolean; paused: boolean };
  standby: { name: string; running: boolean } | undefined;
  /** As the primary tells: e.g. "streaming" and "sync". Undefined: none, or the primary does not answer. */
  replication: { state: string; syncState: string; lagBytes: number } | undefined;
  /** True: every commit that was ever acknowledged is on the standby, so that it may take over. */
  synchronous: boolean;
}

const SETTINGS: Record<string, string> = {
  shared_buffers: '128MB',
  wal_level: 'replica',
  hot_standby: 'on',
  max_wal_senders: '10',
  max_replication_slots: '10',
  // A slot keeps what a standby that is away still needs, up to this.
  max_slot_wal_keep_size: '2GB',
  wal_keep_size: '64MB',
  wal_sender_timeout: '10s',
  wal_receiver_timeout: '10s',
  wal_retrieve_retry_interval: '100ms',
};
const DEADLINE_MS = 60_000;

/**
 * Starts a primary and a synchronous standby, which together lose no commit that was acknowledged: it is on both disks. Applications
 * use `url`, an address which follows the primary.
 *
 * What is not acknowledged is in doubt: a commit that was waiting for the standby when its connection broke may be there or not.
 */
export async function startPostgresPair(options: PostgresPairOptions): Promise<PostgresPair> {
  const gate = await openGate({ targets: [] });
  const pair = new PostgresPair(options, gate);
  try {
    await pair.start();
    return pair;
  } catch (error) {
    await pair.kill();
    throw error;
  }
}

export class PostgresPair {
  /** The virtual address of the primary. */
  readonly gate: Gate;
  readonly #folder: PairFolder;
  readonly #newMember: (name: string) => PostgresMember;
  readonly #log: (line: string) => void;
  #primary: PostgresMember;
  #standby: PostgresMember | undefined;
  #paused = false;
  #synchronous = false;

  constructor({ dataDir, settings = {}, log = () => {} }: PostgresPairOptions, gate: Gate) {
    this.#folder = new PairFolder(dataDir);
    this.#newMember = (name) => new PostgresMember(name, this.#folder.path, { ...SETTINGS, ...settings }, log);
    this.#log = log;
    this.gate = gate;
    this.#primary = this.#newMember(this.#folder.lastPrimary() ?? this.#folder.nextName());
  }

  /** Of the database `postgres`, at the virtual address. */
  get url(): string {
    const url = new URL(this.primaryUrl);
    url.port = String(this.gate.port);
    return url.href;
  }

  /** Past the virtual address. */
  get primaryUrl(): string {
    return this.#primary.url;
  }

  /** Of the standby, which answers reads. */
  get standbyUrl(): string | undefined {
    return this.#standby?.url;
  }

  async start(): Promise<void> {
    await this.#folder.removeAllBut(this.#primary.name);
    await this.#primary.start();
    await this.#lead(this.#primary);
    await this.rebuildStandby();
  }

  /** Whether there is a standby that has every commit, so that the primary may be lost. */
  get isWhole(): boolean {
    return this.#synchronous && this.#standby?.isRunning === true;
  }

  /** SIGKILL to all its processes; clients' connections break, and new ones are refused. */
  async killPrimary(): Promise<void> {
    await this.#primary.kill();
    this.#paused = false;
  }

  /** Starts the killed primary again, on the same data. Resolves when it takes writes, with its standby if that runs. */
  async restartPrimary(): Promise<void> {
    // What it had committed but not acknowledged is visible after the start, before the standby has it.
    this.#synchronous = false;
    await this.killPrimary();
    await this.#primary.start();
    if (this.#standby?.isRunning) await this.#untilSynchronous(this.#standby);
  }

  /**
   * The primary is killed for good, and the standby becomes the primary; resolves when it takes writes. Until `rebuildStandby`
   * commits are on one disk only.
   *
   * @throws Error when the standby may lack commits that were acknowledged
   */
  async failOver(): Promise<void> {
    const standby = this.#standby;
    const old = this.#primary;
    if (standby === undefined || !this.isWhole) throw new Error('there is no synchronous standby to fail over to');
    // First nobody reaches the old one any more, and it is dead before there is a new one.
    this.gate.setTargets([]);
    await this.killPrimary();
    this.#synchronous = false;
    await withClient(standby.url, (client) => client.query('SELECT pg_promote(wait => true)'));
    this.#standby = undefined;
    await this.#lead(standby);
    await withClient(this.url, (client) => client.query('SELECT pg_current_xact_id()'));
    old.discard();
    this.#log(`${standby.name} has taken over from ${old.name}`);
  }

  /**
   * Makes a new standby from the present primary, which may be busy, in place of the one there was; resolves when commits wait
   * for the new one.
   */
  async rebuildStandby(): Promise<void> {
    const primary = this.#primary;
    if (!primary.isRunning || this.#paused) throw new Error('without a primary there is nothing to copy');
    await this.standbyLost();
    this.#standby?.discard();
    const standby = this.#newMember(this.#folder.nextName());
    await withClient(primary.url, async (client) => {
      await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
      await client.query('SELECT pg_create_physical_replication_slot($1, true)', [standby.slot]);
    });
    const create: CreateData = async (dataDir, account) => {
      const connection = { primary_conninfo: primary.connectionFor(standby), primary_slot_name: standby.slot };
      await copyPostgres(
        primary,
        dataDir,
        async (copy) => {
          await markStandby(copy, account);
          await writeSettings(copy, connection, account);
        },
        account,
      );
    };
    this.#standby = standby;
    await standby.start(create);
    await this.#untilSynchronous(standby);
  }

  /** SIGKILL. All commits wait from now on, until it is back or `standbyLost` is called. */
  async killStandby(): Promise<void> {
    await this.#standby?.kill();
  }

  /** Starts the killed standby again; resolves when it has caught up and commits wait for it. */
  async startStandby(): Promise<void> {
    const standby = this.#standby;
    if (standby === undefined) throw new Error('there is no standby to start: rebuild it');
    if (!standby.isRunning) await standby.start();
    await this.#untilSynchronous(standby);
  }

  /**
   * What an operator does when the standby does not come back: it is ended for good measure, and commits no longer wait for it.
   * From now on the primary must not be given up.
   */
  async standbyLost(): Promise<void> {
    await this.killStandby();
    this.#synchronous = false;
    await this.#primary.change({});
  }

  /** SIGSTOP to all its processes: connections stay open and silent. */
  pausePrimary(): void {
    this.#primary.pause();
    this.#paused = true;
  }

  resumePrimary(): void {
    this.#primary.resume();
    this.#paused = false;
  }

  /** What an operator orders to stop all writes, or to allow them again; sessions that are open obey too. */
  async setReadOnly(isReadOnly: boolean): Promise<void> {
    await withClient(this.#primary.url, async (client) => {
      await client.query('SET default_transaction_read_only = off');
      await client.query(`ALTER SYSTEM SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`);
      await client.query('SELECT pg_reload_conf()');
    });
  }

  async state(): Promise<PairState> {
    const [primary, standby] = [this.#primary, this.#standby];
    const answers = primary.isRunning && !this.#paused;
    return {
      primary: { name: primary.name, running: primary.isRunning, paused: this.#paused },
      standby: standby && { name: standby.name, running: standby.isRunning },
      replication: answers && standby !== undefined ? await this.#replication(standby) : undefined,
      synchronous: this.#synchronous,
    };
  }

  async stop(): Promise<void> {
    this.resumePrimary();
    await this.gate.close();
    // First the primary: so that the standby has all of its log.
    await this.#primary.stop();
    await this.#standby?.stop();
  }

  async kill(): Promise<void> {
    await this.gate.close();
    await Promise.all([this.killPrimary(), this.killStandby()]);
  }

  /** Commits do not wait for anyone, and everybody comes here. */
  async #lead(primary: PostgresMember): Promise<void> {
    this.#primary = primary;
    await primary.change({});
    this.#folder.notePrimary(primary.name);
    this.gate.setTargets([new URL(primary.url).host]);
  }

  /** Resolves when every commit so far, and every one from now on when it is acknowledged, is on the standby. */
  async #untilSynchronous(standby: PostgresMember): Promise<void> {
    const streams = async () => (await this.#replication(standby))?.state;
    await eventually(streams, (state) => state === 'streaming', { what: `${standby.name} streaming`, deadlineMs: DEADLINE_MS });
    await this.#primary.change({ synchronous_standby_names: `"${standby.slot}"` });
    await withClient(this.#primary.url, async (client) => {
      const shown = async () => (await client.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names;
      await eventually(shown, (names) => names !== '', { what: 'the settings' });
      // The checkpointer is the process that makes all the others wait; it reads the settings before a checkpoint at the latest.
      await client.query('CHECKPOINT');
      const { rows } = await client.query('SELECT pg_current_wal_insert_lsn() AS lsn');
      const reached = 'SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND sync_state = $2 AND flush_lsn >= $3';
      const caughtUp = async () => (await client.query(reached, [standby.slot, 'sync', rows[0].lsn])).rowCount;
      // An idle primary flushes what it has inserted only now and then.
      await client.query('SELECT pg_switch_wal()');
      await eventually(caughtUp, (found) => found === 1, { what: `${standby.name} up to date`, deadlineMs: DEADLINE_MS });
    });
    this.#synchronous = true;
    this.#log(`commits wait for ${standby.name}`);
  }

  async #replication(standby: PostgresMember): Promise<PairState['replication']> {
    const ask = `SELECT state, sync_state AS "syncState", pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::int AS "lagBytes"
      FROM pg_stat_replication WHERE application_name = $1`;
    try {
      return await withClient(this.#primary.url, async (client) => (await client.query(ask, [standby.slot])).rows[0]);
    } catch {
      return undefined; // not running, or just starting
    }
  }
}
