import { chown, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { withClient } from './postgres.ts';
import type { Account } from './serverProcess.ts';

/** A running server to copy. */
export interface Source {
  url: string;
  dataDir: string;
}

/** Contents that mean something to the running server alone (as pg_basebackup leaves them out); the folders themselves are needed. */
const EMPTIED = ['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans'];
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|backup_label(\.old)?|tablespace_map(\.old)?|standby\.signal|pg_internal\.init.*|pgsql_tmp.*)$/;
const CONTROL_FILE = 'pg_control';
const AT_ONCE = 8;

/**
 * Copies a running server's data, while it is being written to, with PostgreSQL's low-level backup calls: the copy is whole once
 * it has replayed the write-ahead log from the backup's start to its end. What is copied is not flushed to the disk: it withstands
 * the death of processes, not of the machine.
 *
 * @param finish does what the copy still needs; then it is put into place, whole or not at all
 *
 * https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
export async function copyPostgres(
  source: Source,
  dataDir: string,
  finish: (copy: string) => Promise<void>,
  account: Account | undefined,
): Promise<void> {
  const unfinished = `${dataDir}.copy`;
  await rm(unfinished, { recursive: true, force: true });
  // Start and stop belong to one session: when it breaks, the server ends the backup by itself.
  await withClient(source.url, async (client) => {
    await client.query("SELECT pg_backup_start('standby', fast => true)");
    await copyFolder(source.dataDir, unfinished, account);
    // Last, as pg_basebackup does: it must not know of a later checkpoint than the files.
    await copyControlFile(source.dataDir, unfinished);
    const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)');
    await writeFile(join(unfinished, 'backup_label'), rows[0].labelfile, { mode: 0o600 });
  });
  await mkdir(join(unfinished, 'pg_wal', 'archive_status'), { recursive: true });
  await mkdir(join(unfinished, 'pg_wal', 'summaries'), { recursive: true });
  for (const path of ['backup_label', 'global/pg_control', 'pg_wal/archive_status', 'pg_wal/summaries']) {
    await give(join(unfinished, path), account);
  }
  await finish(unfinished);
  await rename(unfinished, dataDir);
}

async function copyFolder(from: string, to: string, account: Account | undefined): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  await give(to, account);
  const entries = (await readdir(from, { withFileTypes: true })).filter(
    ({ name }) => !LEFT_OUT.test(name) && name !== CONTROL_FILE,
  );
  const folders = entries.filter((entry) => entry.isDirectory());
  const files = entries.filter((entry) => entry.isFile());
  const copyNext = async () => {
    for (let entry = files.pop(); entry !== undefined; entry = files.pop()) {
      const target = join(to, entry.name);
      try {
        await copyFile(join(from, entry.name), target);
        await give(target, account);
      } catch (error) {
        if (!isGone(error)) throw error; // A table dropped meanwhile: the log says so too.
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, copyNext));
  for (const { name } of folders) {
    const target = join(to, name);
    if (EMPTIED.includes(name)) {
      await mkdir(target, { mode: 0o700 });
      await give(target, account);
    } else {
      await copyFolder(join(from, name), target, account).catch((error) => {
        if (!isGone(error)) throw error;
      });
    }
  }
}

/** Small, and rewritten in place: read until two looks agree. */
async function copyControlFile(from: string, to: string): Promise<void> {
  const file = join('global', CONTROL_FILE);
  let before = await readFile(join(from, file));
  for (;;) {
    const now = await readFile(join(from, file));
    if (now.equals(before)) break;
    before = now;
  }
  await writeFile(join(to, file), before, { mode: 0o600 });
}

/**
 * Replaces the settings that a running server may be told of (postgresql.auto.conf), whole or not at all.
 *
 * @param settings values without quotes
 */
export async function writeSettings(
  dataDir: string,
  settings: Record<string, string>,
  account: Account | undefined,
): Promise<void> {
  const file = join(dataDir, 'postgresql.auto.conf');
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  await writeFile(`${file}.new`, lines.join(''), { mode: 0o600 });
  await give(`${file}.new`, account);
  await rename(`${file}.new`, file);
}

/** Tells the server in `dataDir` that it is a standby, for its next start. */
export async function markStandby(dataDir: string, account: Account | undefined): Promise<void> {
  const file = join(dataDir, 'standby.signal');
  await writeFile(file, '', { mode: 0o600 });
  await give(file, account);
}

async function give(path: string, account: Account | undefined): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

function isGone(error: unknown): boolean {
  const { code, path = '' } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' && !basename(path).endsWith('.copy');
}
