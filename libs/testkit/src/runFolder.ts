import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from './patience.ts';
import { dataElsewhereOf, removeAbandonedData } from './postgresFiles.ts';
import { ancestorsOf, findProcesses, processesNaming, processStart, sendSignal } from './processTable.ts';
import { becomes, killTree } from './serverProcess.ts';

/*
 * Everything temporary of one run of a command is in one folder, and everything that the run starts names that folder, because it is
 * the run's TMPDIR. So what a run leaves behind can be found, however it was ended: by the run itself at its end, by a guard that
 * outlives it, or by the next run of any command, in whatever checkout. The folder's name says whose it is.
 */

const PREFIX = 'stockbroker-run-';
const NAME = /^stockbroker-run-[a-z]+-(\d+)-(\w+)-\w{6}$/;
/** In a folder that is to stay, with what is in it. */
const KEPT_FILE = 'KEPT';
/** Folders in a run's folder that may hold a kept one. */
const MAY_HOLD_KEPT = /^stockbroker-/;
/** PostgreSQL gives back its shared memory in moments; what is killed is gone at once. */
const GONE_DEADLINE_MS = 10_000 * PATIENCE;

/**
 * Makes the folder of this run, which all can enter (PostgreSQL may run under another account than root), and makes it the TMPDIR of
 * what this process starts from now on.
 *
 * @param kind of the run, for people
 */
export function openRunFolder(kind: string): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), `${PREFIX}${kind}-${process.pid}-${identityOf(process.pid)}-`));
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  return folder;
}

/** Lets a folder in a run's folder, or that itself, stay when the run ends. */
export function keepFolder(folder: string): void {
  writeFileSync(join(folder, KEPT_FILE), 'Kept because something failed. Remove this folder when you have read its logs.\n');
}

/** What the run has started and is alive, and whatever else has this folder for its TMPDIR, or data in it. */
export function processesOfRun(folder: string): number[] {
  return processesNaming([folder, ...dataElsewhereOf(folder)]);
}

/** Ends every process of the run, at once, and removes its folder, except for what is to be kept. */
export async function endRun(folder: string): Promise<void> {
  const mayNotEnd = new Set([process.pid, ...ancestorsOf(process.pid)]);
  const alive = () => processesOfRun(folder).filter((pid) => !mayNotEnd.has(pid));
  // Again and again: what starts others may have done so meanwhile.
  const areGone = () => {
    const left = alive();
    for (const pid of left) endAtOnce(pid);
    return left.length === 0;
  };
  if (!(await becomes(areGone, GONE_DEADLINE_MS))) for (const pid of alive()) killTree(pid);
  if (!(await becomes(areGone, GONE_DEADLINE_MS))) throw new Error(`processes ${alive().join(', ')} cannot be ended`);
  removeUnlessKept(folder);
  removeAbandonedData();
}

/** PostgreSQL ends by itself, in a hurry: killed, it leaves shared memory behind. */
function endAtOnce(pid: number): void {
  const isPostgres = findProcesses('postgres', ['-D']).includes(pid);
  sendSignal(pid, isPostgres ? 'SIGQUIT' : 'SIGKILL');
  sendSignal(pid, 'SIGCONT'); // One that is paused takes no other signal.
}

/** Ends what runs of dead processes have left behind on this machine. */
export async function sweepRuns(): Promise<void> {
  if (!existsSync(tmpdir())) return;
  const temporary = realpathSync(tmpdir());
  for (const name of readdirSync(temporary)) {
    const [, pid, identity] = NAME.exec(name) ?? [];
    if (pid === undefined || identity === undefined || !isOfThisMachine(identity)) continue;
    const folder = join(temporary, name);
    const isMine = statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (isMine && identityOf(Number(pid)) !== identity) await endRun(folder);
  }
}

/** @returns true when it is gone */
function removeUnlessKept(folder: string): boolean {
  if (existsSync(join(folder, KEPT_FILE))) return false;
  const rest = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  const kept = rest.filter((each) => each.isDirectory() && MAY_HOLD_KEPT.test(each.name));
  const areGone = kept.map(({ name }) => removeUnlessKept(join(folder, name))).every((isGone) => isGone);
  const others = areGone ? [folder] : rest.filter((each) => !kept.includes(each)).map(({ name }) => join(folder, name));
  for (const path of others) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  return areGone;
}

/** When the process started, and in which namespace of process ids: a container that shares the folder knows other processes. */
function identityOf(pid: number): string {
  return `${(processStart(pid) ?? 'gone').replaceAll(/\W/g, '')}_${namespace()}`;
}

const isOfThisMachine = (identity: string) => identity.endsWith(`_${namespace()}`);

function namespace(): string {
  return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '') : process.platform;
}
