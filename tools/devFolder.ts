import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { reasonOf } from '@stockbroker/runtime';
import { claimFolder, FolderInUseError } from '@stockbroker/testkit/processes';
import { UserError } from './cli.ts';

const DEFAULT_FOLDER = resolve(import.meta.dirname, '..', '.stockbroker', 'dev');
const FILE = 'connection.json';
const CANNOT_KEEP = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST'];

/** How other commands find what `npm start` runs; it stands in the data folder as long as that runs. */
export interface Connection {
  pid: number;
  /** host:port, or https://host:port */
  gateway: string;
  databaseUrl: string;
  natsUrl: string;
  /** host:port */
  exchangeAddress: string;
  /** A secret: only the user may read the file. */
  exchangeApiKey: string;
  /** Keys of the development issuer, which signs tokens for anyone. */
  issuerDir: string;
  /** The `iss` of its tokens. */
  issuer: string;
}

/** Where the development data live: what the user says, or a git-ignored folder of this checkout. */
export function dataFolder(option: string | undefined): string {
  return resolve(option ?? process.env.STOCKBROKER_DATA_DIR ?? DEFAULT_FOLDER);
}

export function isDefaultFolder(dataDir: string): boolean {
  return dataDir === DEFAULT_FOLDER;
}

/** Says that this process alone works on the data, until the returned function is called. @throws UserError */
export function claimData(dataDir: string): () => void {
  try {
    mkdirSync(dirname(dataDir), { recursive: true });
    return claimFolder(dataDir);
  } catch (error) {
    if (CANNOT_KEEP.includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw new UserError(
        `The data cannot be kept in ${dataDir}: ${reasonOf(error)}.\nGive another folder with --data-dir or STOCKBROKER_DATA_DIR.`,
        { cause: error },
      );
    }
    if (!(error instanceof FolderInUseError)) throw error;
    const running = readConnection(dataDir);
    const what = running === undefined ? 'Another start, migration or reset' : 'npm start';
    throw new UserError(
      `${what} is already running on ${dataDir} (process ${error.pid}).\n` +
        `Stop it with Ctrl-C in its terminal or with: kill ${error.pid}`,
    );
  }
}

export function writeConnection(dataDir: string, connection: Connection): void {
  writeFileSync(join(dataDir, FILE), JSON.stringify(connection, null, 2), { mode: 0o600 });
}

export function removeConnection(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}

/** Undefined when nothing runs: a file left by a killed process does not count. */
export function readConnection(dataDir: string): Connection | undefined {
  try {
    const connection = JSON.parse(readFileSync(join(dataDir, FILE), 'utf8')) as Connection;
    process.kill(connection.pid, 0);
    return connection;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
