// Runs one of the tools: `node tools/bootstrap.mjs tools/start.ts …`. Plain JavaScript without dependencies, because it runs first, on
// whatever Node (18 or newer) the user has: it installs the locked dependencies when they are missing or old, and then runs the tool
// with Node 24, which comes with them.
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const binFolder = join(modules, '.bin');
const stamp = join(modules, '.stockbroker-lock');
const bundledNode = join(binFolder, 'node');
const state = join(root, '.stockbroker');
const neededMajor = 24;
const currentMajor = Number.parseInt(process.versions.node, 10);

/** Something the user has to do; shown without a stack trace. */
class UserError extends Error {}

const [script, ...args] = process.argv.slice(2);
try {
  if (script === undefined) throw new UserError('usage: node tools/bootstrap.mjs <script> [arguments]');
  const interrupted = isInstalled() ? undefined : await install();
  process.exitCode = interrupted ?? (await runTool(resolve(root, script), args));
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}

function isInstalled() {
  // npm writes this file last: without it an install was interrupted.
  const installed = modifiedAt(join(modules, '.package-lock.json'));
  if (installed === undefined) return false;
  if (currentMajor < neededMajor && bringsNode() && !existsSync(bundledNode)) return false;
  const lockFile = join(root, 'package-lock.json');
  const lockHash = hashOf(lockFile);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return true;
  if (installed < (modifiedAt(lockFile) ?? 0)) return false;
  writeStamp(lockHash); // the user's own npm ci or npm install
  return true;
}

/** Node comes with the dependencies on the systems for which there is a package. */
function bringsNode() {
  return process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
}

/** Returns an exit code when it was interrupted. */
async function install() {
  const lock = await installLock();
  try {
    if (isInstalled()) return undefined; // by the process that was waited for
    console.error('Installing locked dependencies (once, about two minutes)…');
    const lockHash = hashOf(join(root, 'package-lock.json'));
    const { code, signal } = await npmCi(lock.share);
    if (signal !== null) return exitCode(code, signal);
    if (code !== 0) {
      throw new UserError(
        `npm ci failed with exit code ${code}; what went wrong is above. Often it is the connection to the package registry ` +
          '(proxy, VPN), a full disk, or a package.json changed without npm install. Mend that and run this again.',
      );
    }
    writeStamp(lockHash);
    return undefined;
  } finally {
    lock.release();
  }
}

async function npmCi(started) {
  // npm ci starts by removing node_modules, so neither npm nor what it starts may run on the Node in there.
  const path = pathWithout(binFolder);
  const nodes = path.split(delimiter).map((folder) => join(folder, 'node'));
  const env = {
    ...process.env,
    PATH: path,
    // Prisma's packages fetch an engine that nothing here uses, unless this names some existing program.
    PRISMA_SCHEMA_ENGINE_BINARY: process.env.PRISMA_SCHEMA_ENGINE_BINARY ?? nodes.find(isExecutable) ?? process.execPath,
  };
  // npm's own output goes to stderr: the tool's output may be read by a program.
  const options = { cwd: root, env, stdio: ['ignore', 2, 2] };
  try {
    return await run('npm', ['ci', '--loglevel=error'], options, started);
  } catch (error) {
    throw new UserError(`npm could not be started (${error.message}): install npm, or put it on PATH, and run this again.`);
  }
}

/**
 * One install at a time. The lock is a folder with its owner's id in it, renamed into place whole: a rename never replaces a folder that
 * is not empty. The lock of dead processes is taken over; npm counts as an owner, since it goes on when this process is killed.
 */
async function installLock() {
  const lock = join(state, 'install.lock');
  const mine = `${lock}.${randomUUID()}`;
  let owners = identityOf(process.pid);
  try {
    mkdirSync(mine, { recursive: true });
    writeFileSync(join(mine, 'owners'), owners);
  } catch (error) {
    throw new UserError(
      `The dependencies are not installed, and cannot be, because this folder is not writable: ${error.message}`,
    );
  }
  let told = false;
  while (!renamedInto(mine, lock)) {
    const others = ownersOf(lock);
    if (others !== undefined && !others.split('\n').some(isAlive)) {
      removeLock(lock, others);
      continue;
    }
    if (!told) console.error(`Waiting for process ${others?.split(' ')[0]}, which is installing the dependencies…`);
    told = true;
    await delay(200);
  }
  return {
    share(pid) {
      owners += `\n${identityOf(pid)}`;
      writeFileSync(join(lock, 'owners'), owners);
    },
    release: () => removeLock(lock, owners),
  };
}

/** Removes the lock of `owners`, and only that: whoever took it over in the meantime gets it back. */
function removeLock(lock, owners) {
  const taken = `${lock}.${randomUUID()}`;
  if (!renamedInto(lock, taken)) return;
  if (ownersOf(taken) !== owners && renamedInto(taken, lock)) return;
  rmSync(taken, { recursive: true, force: true });
}

function renamedInto(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)) return false;
    throw error;
  }
}

function ownersOf(lock) {
  try {
    return readFileSync(join(lock, 'owners'), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(owner) {
  const pid = Number.parseInt(owner, 10);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  return identityOf(pid) === owner;
}

/** With the start time where /proc tells it, since ids are used again after a restart. */
function identityOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return String(pid);
  }
}

async function runTool(path, toolArgs) {
  const env = { ...process.env, ...reachLoopback(), PATH: [binFolder, pathWithout(binFolder)].join(delimiter) };
  const cache = compileCache();
  if (cache !== undefined) env.NODE_COMPILE_CACHE ??= cache;
  const nodeArgs = ['--disable-warning=ExperimentalWarning', path, ...toolArgs];
  const { code, signal } = await run(findNode(), nodeArgs, { env, stdio: 'inherit' });
  return exitCode(code, signal);
}

/** A proxy for the web is not for the servers on this machine. Downloads still go through it. */
function reachLoopback() {
  const known = process.env.no_proxy ?? process.env.NO_PROXY ?? '';
  const all = known === '*' ? known : [known, 'localhost', '127.0.0.1', '::1'].filter(Boolean).join(',');
  return { no_proxy: all, NO_PROXY: all };
}

/** As a shell tells it. */
function exitCode(code, signal) {
  return signal === null ? code : 128 + osConstants.signals[signal];
}

function findNode() {
  if (existsSync(bundledNode)) return bundledNode;
  if (currentMajor >= neededMajor) return process.execPath;
  throw new UserError(
    `Node ${neededMajor} or newer is needed, and this is ${process.versions.node}. On Linux (x64 and arm64, glibc) it comes with the ` +
      'dependencies, unless npm is told to omit optional ones; elsewhere install it from https://nodejs.org.',
  );
}

/** Compiled code of the tools, kept between runs. Undefined where it cannot be written, e.g. in a read-only checkout. */
function compileCache() {
  const folder = join(state, 'compile-cache');
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return undefined;
  }
}

/** Resolves when the child has ended. Signals that only this process gets are passed on. */
function run(command, commandArgs, options, started = () => {}) {
  return new Promise((resolvePromise, reject) => {
    // The terminal sends Ctrl-C and a hang-up to the child as well: a second one from here would make it stop in a hurry.
    const fromTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
    const handlers = ['SIGINT', 'SIGHUP', 'SIGTERM'].map((signal) => [
      signal,
      () => {
        if (signal === 'SIGTERM' || !fromTerminal) child.kill(signal);
      },
    ]);
    for (const [signal, handler] of handlers) process.on(signal, handler);
    const child = spawn(command, commandArgs, options); // after them: a signal in between would leave the child behind
    // npm starts this through a shell, and a SIGTERM sent to npm ends npm and that shell, but does not come further.
    const parent = process.ppid;
    const stopWhenOrphaned = () => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    };
    const watch = process.env.npm_lifecycle_event && setInterval(stopWhenOrphaned, 500);
    const end = (settle) => (first, second) => {
      clearInterval(watch);
      for (const [signal, handler] of handlers) process.off(signal, handler);
      settle(first, second);
    };
    child.once('spawn', () => started(child.pid));
    child.once('error', end(reject));
    child.once(
      'exit',
      end((code, signal) => resolvePromise({ code, signal })),
    );
  });
}

function writeStamp(lockHash) {
  try {
    writeFileSync(stamp, lockHash);
  } catch {
    // A read-only checkout: the files' times are compared again next time.
  }
}

function hashOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function pathWithout(folder) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((each) => resolve(each) !== folder)
    .join(delimiter);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
