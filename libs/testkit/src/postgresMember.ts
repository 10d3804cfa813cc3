import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeSettings } from './copyPostgres.ts';
import { type CreateData, type PostgresServer, startPostgres } from './postgres.ts';
import { type Account, killLeftovers } from './serverProcess.ts';

/** One server of a pair. It has one folder and one port for all its life. */
export class PostgresMember {
  readonly name: string;
  /** Its replication slot on the primary, and what it calls itself there. */
  readonly slot: string;
  readonly #options: { dataDir: string; settings: Record<string, string>; log: (line: string) => void };
  #port: number | undefined;
  #server: PostgresServer | undefined;
  #url = '';
  #realDir = '';

  constructor(name: string, folder: string, settings: Record<string, string>, log: (line: string) => void) {
    this.name = name;
    this.slot = name.replaceAll('-', '_');
    this.#options = { dataDir: join(folder, name), settings, log: (line) => log(`${name}: ${line}`) };
  }

  get url(): string {
    return this.#url;
  }

  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  /** Where the data really is. */
  get dataDir(): string {
    return this.#realDir;
  }

  async start(create?: CreateData): Promise<void> {
    const server = await startPostgres({
      ...this.#options,
      ...(this.#port === undefined ? {} : { port: this.#port }),
      ...(create === undefined ? {} : { create }),
    });
    this.#server = server;
    this.#url = server.url;
    this.#realDir = server.dataDir;
    this.#port = server.port;
    void server.exited.then(() => {
      if (this.#server === server) this.#server = undefined;
    });
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  pause(): void {
    this.#server?.pause();
  }

  resume(): void {
    this.#server?.resume();
  }

  /** Replaces the settings that can change while it runs; a paused one reads them afterwards. */
  async change(settings: Record<string, string>): Promise<void> {
    await writeSettings(this.#realDir, settings, ownerOf(this.#realDir));
    if (this.#server !== undefined) process.kill(this.#server.pid, 'SIGHUP');
  }

  /** For a standby's connection to this primary. */
  connectionFor(standby: PostgresMember): string {
    const { hostname, port, username, password } = new URL(this.#url);
    return `host=${hostname} port=${port} user=${username} password=${password} application_name=${standby.slot}`;
  }

  /** Forgets its data. */
  discard(): void {
    for (const folder of [this.#realDir, this.#options.dataDir]) rmSync(folder, { recursive: true, force: true });
  }
}

/** The folder of a pair: one for each server there ever was, and a note which of them has the truth. */
export class PairFolder {
  readonly path: string;
  readonly #note: string;
  #count = 0;

  constructor(path: string) {
    this.path = resolve(path);
    this.#note = join(this.path, 'PRIMARY');
  }

  nextName(): string {
    this.#count += 1;
    const name = `server-${this.#count}`;
    return existsSync(join(this.path, name)) ? this.nextName() : name;
  }

  /** Of an earlier run. */
  lastPrimary(): string | undefined {
    return existsSync(this.#note) ? readFileSync(this.#note, 'utf8') : undefined;
  }

  notePrimary(name: string): void {
    mkdirSync(this.path, { recursive: true });
    writeFileSync(`${this.#note}.new`, name);
    renameSync(`${this.#note}.new`, this.#note);
  }

  /** Ends and forgets all other servers that an earlier run left. */
  async removeAllBut(primary: string): Promise<void> {
    if (!existsSync(this.path)) return;
    for (const name of readdirSync(this.path).filter((each) => /^server-\d+/.test(each) && !each.startsWith(`${primary}.`))) {
      if (name === primary) continue;
      const folder = join(this.path, name);
      const where = join(folder, 'WHERE'); // See postgresFiles.ts.
      const dataDir = existsSync(where) ? readFileSync(where, 'utf8').trim() : folder;
      await killLeftovers('postgres', ['-D', dataDir]);
      for (const each of [dataDir, folder]) rmSync(each, { recursive: true, force: true });
    }
  }
}

function ownerOf(dataDir: string): Account | undefined {
  const { uid, gid } = statSync(dataDir);
  return process.getuid?.() === uid ? undefined : { uid, gid };
}
