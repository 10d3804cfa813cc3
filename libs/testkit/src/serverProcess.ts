import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '@stockbroker/runtime';
import { ownEnvironment } from './ownEnvironment.ts';
import { PATIENCE } from './patience.ts';
import { descendantsOf, findProcesses, processStart, sendSignal } from './processTable.ts';

/** How often a state that nobody announces is looked at. */
const pollMs = 25;
/** Lines of a server's log kept for error messages. */
const keptLines = 40;
/** A server that has not stopped by then is killed: an orderly stop writes out what is in memory, which is seconds at most. */
const stopDeadlineMs = 20_000 * PATIENCE;

/** A user and group, by number. */
export interface Account {
  uid: number;
  gid: number;
}

export interface SpawnOptions {
  /** What the server is called in messages. */
  name: string;
  /** Asks the server to stop in order. */
  stopSignal: NodeJS.Signals;
  account?: Account | undefined;
  env?: NodeJS.ProcessEnv;
  log?: ((line: string) => void) | undefined;
}

export interface ServerProcess {
  readonly pid: number;
  /** Resolves once the server and all its child processes are gone, for whatever reason. */
  readonly exited: Promise<void>;
  hasExited(): boolean;
  /** The end of the server's own log. */
  lastLines(): string;
  signal(signal: NodeJS.Signals): void;
  /** In order; killed when that takes longer than 20 s. */
  stop(): Promise<void>;
  /** As a power cut: no process of the server does anything more. */
  kill(): Promise<void>;
}

/** A server could not be started. The message ends with the last lines of its log. */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
  readonly lastLines: string;
  constructor(message: string, lastLines: string, options?: ErrorOptions) {
    super(lastLines === '' ? message : `${message}. The end of its log:\n${lastLines}`, options);
    this.lastLines = lastLines;
  }

  get portTaken(): boolean {
    return /address already in use/i.test(this.lastLines);
  }
}

/**
 * Starts a server in a session of its own, so that Ctrl-C in the terminal reaches only this process, which then decides in what order
 * things stop. When this process exits without having stopped it, the server is told to stop; when this process is killed,
 * `stopLeftovers` finds it at the next start.
 */
export async function spawnServer(command: string, args: readonly string[], options: SpawnOptions): Promise<ServerProcess> {
  const child = spawn(command, args, {
    cwd: '/', // the current folder may be closed to the server's account
    detached: true,
    env: options.env ?? ownEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.account,
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      options.log?.(line);
    });
  }
  // Not 'exit': the pipes close when the last child process of the server is gone as well.
  let closed = false;
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve())).then(() => {
    closed = true;
    process.off('exit', stopAtExit);
  });
  const stopAtExit = () => child.kill(options.stopSignal);
  process.on('exit', stopAtExit);

  await once(child, 'spawn').catch((cause) => {
    process.off('exit', stopAtExit);
    throw new ServerStartError(`${options.name} could not be started from ${command}: ${reasonOf(cause)}`, '', { cause });
  });
  const pid = child.pid ?? 0;
  const hasExited = () => closed || child.exitCode !== null || child.signalCode !== null;
  const kill = () => {
    if (hasExited()) return exited;
    killTree(pid);
    return exited;
  };
  return {
    pid,
    exited,
    hasExited,
    lastLines: () => lines.join('\n'),
    signal: (signal) => void child.kill(signal),
    async stop() {
      child.kill(options.stopSignal);
      child.kill('SIGCONT'); // a paused server cannot stop
      if (!(await within(stopDeadlineMs, exited))) await kill();
    },
    kill,
  };
}

/** Waits until `ready` says so. Kills the server and throws a ServerStartError when it exits or the deadline passes. */
export async function untilReady(
  name: string,
  server: ServerProcess,
  deadlineMs: number,
  ready: () => Promise<boolean>,
): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  while (!server.hasExited() && Date.now() < giveUpAt) {
    if (await ready()) return;
    await delay(pollMs);
  }
  const why = server.hasExited() ? 'stopped while starting' : `was not ready after ${deadlineMs / 1000} s`;
  await server.kill();
  throw new ServerStartError(`${name} ${why}`, server.lastLines());
}

/** Stops servers that a killed process left behind. Call only with the claim on their folder (see claimFolder). */
export async function stopLeftovers(program: string, args: readonly string[], stopSignal: NodeJS.Signals): Promise<number[]> {
  const leftovers = findProcesses(program, args);
  for (const pid of leftovers) {
    const started = processStart(pid);
    const gone = () => processStart(pid) !== started;
    sendSignal(pid, stopSignal);
    sendSignal(pid, 'SIGCONT');
    if (await becomes(gone, stopDeadlineMs)) continue;
    killTree(pid);
    if (!(await becomes(gone, stopDeadlineMs))) throw new Error(`an earlier ${program} (process ${pid}) cannot be stopped`);
  }
  return leftovers;
}

/** Ends a program of a killed process, with whatever it started, and returns when all of that is gone. */
export async function killLeftovers(program: string, args: readonly string[]): Promise<void> {
  const killed = findProcesses(program, args).flatMap(killTree);
  if (!(await becomes(() => killed.every((pid) => processStart(pid) === undefined), stopDeadlineMs))) {
    throw new Error(`an earlier ${program} (process ${killed[0]}) cannot be killed`);
  }
}

/** Ends a process and whatever it started, at once. */
export function killTree(pid: number): number[] {
  const all = haltTree(pid);
  for (const each of all) sendSignal(each, 'SIGKILL');
  return all;
}

/** Pauses a process and whatever it started. */
export function haltTree(pid: number): number[] {
  // Until a look shows nothing new: otherwise one that was started during the look would go on.
  const all = new Set<number>();
  for (let found = [pid]; found.length > 0; found = descendantsOf(pid).filter((each) => !all.has(each))) {
    for (const each of found) {
      all.add(each);
      sendSignal(each, 'SIGSTOP');
    }
  }
  return [...all];
}

/** Undoes `haltTree`. */
export function resumeTree(pid: number): void {
  for (const each of [...descendantsOf(pid), pid]) sendSignal(each, 'SIGCONT');
}

/**
 * Starts on the wanted port, or else on a free one, with another try when somebody takes that between the choice and the start.
 */
export async function startOnPort<T>(name: string, wanted: number | undefined, start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await freePort());
    try {
      return await start(port);
    } catch (error) {
      if (!(error instanceof ServerStartError) || !error.portTaken) throw error;
      if (wanted !== undefined) throw new ServerStartError(`${name}: port ${port} is taken`, error.lastLines, { cause: error });
      if (attempt === 5) throw error;
    }
  }
}

/**
 * A port of 127.0.0.1 that nobody listens on, below the range from which systems take the local ports of outgoing connections
 * (from 32768 on Linux, 49152 elsewhere). In that range a client that retries while the server is down can take the server's port, or
 * even connect to itself, and the server cannot come back.
 *
 * No other call gives the same port, in whatever process, as long as this process lives: a server may be down for a while.
 */
export async function freePort(range = { first: 15_000, count: 17_000 }): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = range.first + Math.floor(Math.random() * range.count);
    if ((await claimPort(port)) && (await isPortFree(port))) return port;
  }
  throw new Error(`no free port found from ${range.first} to ${range.first + range.count - 1} on 127.0.0.1`);
}

/** By its UDP twin, which nobody else uses: only one process can have it, and loses it when it ends, however it ends. */
function claimPort(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const claim = createSocket('udp4');
    claim.unref();
    claim.once('error', () => claim.close(() => resolve(false)));
    claim.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
}

/** Whether nothing listens on the port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

async function within(deadlineMs: number, event: Promise<void>): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(deadlineMs, false, { signal: timer.signal }).catch(() => false);
  const inTime = await Promise.race([event.then(() => true), late]);
  timer.abort();
  return inTime;
}

/** Looks at a state until it is so, or the deadline passes. @returns whether it is so */
export async function becomes(state: () => boolean, deadlineMs: number): Promise<boolean> {
  const giveUpAt = Date.now() + deadlineMs;
  while (!state()) {
    if (Date.now() > giveUpAt) return false;
    await delay(pollMs);
  }
  return true;
}
