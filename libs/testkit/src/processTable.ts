import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/*
 * Which processes run on this machine. Linux is read from /proc, because small container images have no `ps`; other systems
 * are asked through `ps`.
 */
const onLinux = process.platform === 'linux';

/** When a process started, in the system's own notation: tells it apart from a later one with the same id. Undefined: no such process. */
export function processStart(pid: number): string | undefined {
  if (!onLinux) return ps(['-o', 'lstart=', '-p', String(pid)])[0];
  const stat = procStat(pid);
  return stat === undefined || stat.state === 'Z' ? undefined : stat.start;
}

/** Processes started as `…/program args…`, with these arguments first and in this order. */
export function findProcesses(program: string, args: readonly string[]): number[] {
  if (!onLinux) {
    const commandLine = `/${[program, ...args].join(' ')} `;
    return ps(['-A', '-o', 'pid=,command='])
      .filter((line) => `${line} `.includes(commandLine))
      .map((line) => Number.parseInt(line, 10));
  }
  const commandLine = `/${[program, ...args].join('\0')}\0`;
  return processIds().filter((pid) => readProc(pid, 'cmdline')?.includes(commandLine));
}

/** Programs that are known by their arguments alone, since they get an environment of their own. */
const SERVERS = /(?:^|\/)(?:postgres|initdb|nats-server)$/;

/** Processes with one of these paths in their environment, and servers that were started with it. */
export function processesNaming(paths: readonly string[]): number[] {
  const names = (text = '') => paths.some((path) => text.includes(path));
  if (!onLinux) {
    return ps(['-A', '-E', '-ww', '-o', 'pid=,command='])
      .filter(names)
      .map((line) => Number.parseInt(line, 10));
  }
  return processIds().filter((pid) => {
    const isAlive = processStart(pid) !== undefined;
    const commandLine = readProc(pid, 'cmdline');
    const isServer = SERVERS.test(commandLine?.split('\0')[0] ?? '');
    return isAlive && (names(readProc(pid, 'environ')) || (isServer && names(commandLine)));
  });
}

/** Its parent, the parent of that, and so on. */
export function ancestorsOf(descendant: number): number[] {
  const table = new Map(parents());
  const found: number[] = [];
  for (let pid = table.get(descendant); pid !== undefined && pid > 0; pid = table.get(pid)) found.push(pid);
  return found;
}

/** Its children, their children, and so on. */
export function descendantsOf(ancestor: number): number[] {
  const found = [ancestor];
  const table = parents();
  for (const parent of found) found.push(...table.filter(([, of]) => of === parent).map(([pid]) => pid));
  return found.slice(1);
}

/** Seconds of processor that everything started from here has used so far, this process not counted. Linux only. */
export function cpuSecondsOfChildren(): number {
  if (!onLinux) throw new Error('only Linux tells what the children of a process have used');
  return descendantsOf(process.pid).reduce((sum, pid) => sum + (procStat(pid)?.cpuSeconds ?? 0), 0);
}

/** Seconds of processor that a process and all that it has started have used so far, also those that have ended. Linux only. */
export function cpuSecondsOf(pid: number): number {
  const own = procStat(pid);
  if (own === undefined) throw new Error(`nobody tells what process ${pid} has used`);
  const all = [own, ...descendantsOf(pid).flatMap((descendant) => procStat(descendant) ?? [])];
  return all.reduce((sum, { cpuSeconds, endedCpuSeconds }) => sum + cpuSeconds + endedCpuSeconds, 0);
}

/** What a process was started as, or what it calls itself: for people. Undefined: no such process. */
export function commandOf(pid: number): string | undefined {
  if (!onLinux) return ps(['-o', 'command=', '-p', String(pid)])[0];
  return readProc(pid, 'cmdline')?.replaceAll('\0', ' ').trim() || undefined;
}

/** Memory of a process that is resident now, and the most that ever was, bytes. Only Linux knows the latter. */
export function residentBytesOf(pid: number): { now: number; highest: number } {
  if (!onLinux) {
    const now = Number(ps(['-o', 'rss=', '-p', String(pid)])[0]) * 1_024;
    return { now, highest: now };
  }
  const status = readProc(pid, 'status') ?? '';
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024;
  const found = { now: read('VmRSS'), highest: read('VmHWM') };
  if (Number.isNaN(found.now) || Number.isNaN(found.highest)) throw new Error(`nobody tells the memory of process ${pid}`);
  return found;
}

/** True when the process was there to take the signal. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function parents(): [pid: number, parent: number][] {
  if (onLinux) return processIds().map((pid) => [pid, procStat(pid)?.parent ?? 0]);
  return ps(['-A', '-o', 'pid=,ppid=']).map((line) => {
    const [pid = 0, parent = 0] = line.split(/\s+/).map(Number);
    return [pid, parent];
  });
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

const TICKS_A_SECOND = 100;

interface ProcStat {
  state: string;
  parent: number;
  start: string;
  cpuSeconds: number;
  /** Of its children that have ended, with theirs. */
  endedCpuSeconds: number;
}

function procStat(pid: number): ProcStat | undefined {
  // `pid (command) state parent …`: the command may itself hold spaces and parentheses. Fields 14 to 17 are ticks, the start is 22.
  const stat = readProc(pid, 'stat');
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, start] = [fields?.[0], fields?.[1], fields?.[19]];
  const cpuSeconds = (Number(fields?.[11]) + Number(fields?.[12])) / TICKS_A_SECOND;
  const endedCpuSeconds = (Number(fields?.[13]) + Number(fields?.[14])) / TICKS_A_SECOND;
  return state && start ? { state, parent: Number(parent), start, cpuSeconds, endedCpuSeconds } : undefined;
}

function readProc(pid: number, file: 'stat' | 'cmdline' | 'environ' | 'status'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // gone since it was listed, or another user's
  }
}

function ps(args: readonly string[]): string[] {
  try {
    const lines = execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  } catch (error) {
    if ((error as { status?: number }).status === 1) return []; // no such process
    throw error;
  }
}
