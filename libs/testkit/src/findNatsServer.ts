import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '@stockbroker/runtime';
import { cacheFolder } from './cacheFolder.ts';
import { downloadFromDebian } from './downloadFromDebian.ts';

export interface FindNatsOptions {
  /** Where a download is kept. Default: .stockbroker/bin of this checkout, see cacheFolder. */
  cacheDir?: string;
  env?: NodeJS.ProcessEnv;
  log?: (line: string) => void;
}

/** There is no usable nats-server on this machine, and none could be had. The message says how to install one. */
export class NoNatsServerError extends Error {
  override readonly name = 'NoNatsServerError';
  constructor(why: string, options?: ErrorOptions) {
    super(
      `nats-server 2.10 or newer is needed, and ${why}. Install it (macOS: brew install nats-server; Debian 13 and Ubuntu 24.04 or newer: ` +
        'sudo apt-get install nats-server; others: https://docs.nats.io/running-a-nats-service/introduction/installation), ' +
        'or set NATS_SERVER to the path of the program.',
      options,
    );
  }
}

/** The nats-server program: $NATS_SERVER, or one on PATH, or an earlier download, or a download from this machine's Debian mirror. */
export async function findNatsServer(options: FindNatsOptions = {}): Promise<string> {
  const { cacheDir = cacheFolder('bin', 'nats-server'), env = process.env, log = () => {} } = options;
  const chosen = env.NATS_SERVER;
  if (chosen) {
    const version = await versionOf(chosen);
    if (isUsable(version)) return chosen;
    throw new NoNatsServerError(`NATS_SERVER=${chosen} ${version ? `is ${version.join('.')}` : 'does not run'}`);
  }
  const cached = join(cacheDir, 'nats-server');
  const onPath = (env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, 'nats-server'));
  for (const program of [...onPath, cached]) {
    if (!isExecutable(program)) continue;
    const version = await versionOf(program);
    if (isUsable(version)) return program;
    log(`${program} ${version ? `is ${version.join('.')}, too old` : 'does not run'}: looking further`);
  }
  try {
    await downloadFromDebian('nats-server', 'usr/sbin/nats-server', cached, log);
  } catch (cause) {
    throw new NoNatsServerError(`it could not be downloaded: ${reasonOf(cause)}`, { cause });
  }
  if (!isUsable(await versionOf(cached))) throw new NoNatsServerError(`the downloaded one (${cached}) does not run here`);
  return cached;
}

type Version = [major: number, minor: number, patch: number];

/** Undefined when it does not run, or is something else. */
async function versionOf(program: string): Promise<Version | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 10_000 });
    const [, major, minor, patch] = /nats-server: v(\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? [];
    return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
  } catch {
    return undefined;
  }
}

/** Older ones are not tested against. */
const isUsable = (version: Version | undefined) =>
  version !== undefined && (version[0] > 2 || (version[0] === 2 && version[1] >= 10));

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
