import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonOf, sleep } from '@stockbroker/runtime';
import { ownEnvironment } from './ownEnvironment.ts';
import { PATIENCE } from './patience.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PRELOAD = join(import.meta.dirname, 'preloadApp.ts');
/** What production gives Node too: of the young part of the heap, each half in MB (docs/performance.md). */
const NODE_FLAGS = ['--max-semi-space-size=32'];
const READY_DEADLINE_MS = 60_000 * PATIENCE;
const STOP_DEADLINE_MS = 15_000 * PATIENCE;
const MAX_BACKOFF_MS = 5_000;
/** Lines of the log in an error message. */
const KEPT_LINES = 15;
/** A process that ran for this long had started well: its next restart is quick again. */
const STABLE_MS = 10_000;

export type AppName = 'exchange' | 'callback' | 'worker' | 'gateway';

export interface AppProcessOptions {
  /** Unique in the system, e.g. "worker-2". */
  name: string;
  app: AppName;
  /** What Node runs; default: the app's main.ts. */
  main?: string;
  /** Its environment. While that is only promised, `preload` has the process load its modules. */
  env: Record<string, string> | Promise<Record<string, string>>;
  logFile: string;
  /** Starts the process again when it ends by itself, with backoff. */
  restart: boolean;
  /** Told of each start and end, in words for people. */
  onEvent?: (line: string) => void;
}

/** An app ended or did not become ready. The message ends with what it logged. */
export class AppFailedError extends Error {
  override readonly name = 'AppFailedError';
}

/** One app as a process of its own, as in production: its environment is all it gets. */
export class AppProcess {
  readonly name: string;
  readonly #options: AppProcessOptions;
  /** Known once the process was told to start. */
  #env: Record<string, string> | undefined;
  #child: ChildProcess | undefined;
  /** Where in the log the present process begins. */
  #logStart = 0;
  #endpoints: Record<string, string> = {};
  #started = starting();
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;
  #failures = 0;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(options: AppProcessOptions) {
    this.name = options.name;
    this.#options = options;
    if (options.env instanceof Promise) options.env.catch(() => {}); // `start` tells, if it comes to that.
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Where it listens, as it told when it was started. */
  get endpoints(): Record<string, string> {
    return this.#endpoints;
  }

  /** Starts a process that loads the app's modules and waits. If it ends before `start` is called, `start` takes another one. */
  preload(): void {
    this.#spawn([PRELOAD, this.#main], {});
  }

  /** Starts the process; resolves when it says that it is ready. @throws AppFailedError when it ends before; may be called again */
  async start(): Promise<void> {
    const env = await this.#options.env;
    this.#env = env;
    if (this.#stopping) throw new Error(`${this.name} was stopped`);
    if (this.#child === undefined) {
      this.#started = starting();
      this.#spawn([this.#main], env);
    } else this.#child.send({ env });
    const deadline = setTimeout(() => this.#started.reject(this.#failure('did not start in time')), READY_DEADLINE_MS);
    try {
      await this.#started.promise;
    } finally {
      clearTimeout(deadline);
    }
    await this.untilReady();
  }

  /** Resolves when /readyz says so. */
  async untilReady(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    let last = '';
    while (Date.now() < deadline) {
      if (this.#stopping) throw new Error(`${this.name} was stopped`);
      last = await this.#askReady();
      if (last === 'ready') return;
      await sleep(20);
    }
    throw this.#failure(`is not ready: ${last}`);
  }

  /** Sends a signal, e.g. SIGKILL, SIGSTOP or SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Kills it as a power cut would and waits until it is gone. It is started again only if `restart` says so. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** Stops it in order and for good; ends it when that takes longer than `deadlineMs`. */
  async stop(deadlineMs = STOP_DEADLINE_MS): Promise<void> {
    this.#stopping = true;
    this.#started.reject(new Error(`${this.name} was stopped`));
    clearTimeout(this.#restartTimer);
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), deadlineMs);
    await this.#exited;
    clearTimeout(timer);
  }

  get #main(): string {
    return this.#options.main ?? join(ROOT, 'apps', this.#options.app, 'src', 'main.ts');
  }

  #spawn(script: string[], env: Record<string, string>): ChildProcess {
    const log = this.#openLog();
    const startedAtMs = Date.now();
    const child = spawn(process.execPath, [...NODE_FLAGS, ...script], {
      cwd: ROOT,
      env: ownEnvironment(env),
      stdio: ['ignore', log ?? 'ignore', log ?? 'ignore', 'ipc'],
      // Its own process group: Ctrl-C reaches the supervisor alone, which stops everything in order.
      detached: true,
    });
    if (log !== undefined) closeSync(log);
    this.#child = child;
    child.on('message', (message: { endpoints?: Record<string, string> }) => {
      this.#endpoints = message.endpoints ?? {};
      this.#started.resolve();
    });
    this.#exited = new Promise((resolve) => {
      const onEnd = (how: string) => {
        resolve();
        this.#onExit(how, Date.now() - startedAtMs);
      };
      child.once('exit', (code, signal) => onEnd(signal === null ? `exited with code ${code}` : `was ended by ${signal}`));
      child.on('error', (error) => {
        // Else it is of the channel, when the process has just ended: its exit tells.
        if (child.pid === undefined) onEnd(`could not be started: ${reasonOf(error)}`);
      });
    });
    return child;
  }

  /** Undefined where there is no room for it, or it must not be written: a process is started again all the same. */
  #openLog(): number | undefined {
    const { logFile, onEvent } = this.#options;
    try {
      mkdirSync(dirname(logFile), { recursive: true });
      const log = openSync(logFile, 'a');
      this.#logStart = fstatSync(log).size;
      return log;
    } catch (error) {
      onEvent?.(`${this.name} runs without a log: ${reasonOf(error)}`);
      return undefined;
    }
  }

  #onExit(how: string, ranMs: number): void {
    this.#child = undefined;
    const env = this.#env;
    if (this.#stopping || env === undefined) return;
    if (!this.#options.restart || Object.keys(this.#endpoints).length === 0) {
      this.#started.reject(this.#failure(how));
      return;
    }
    this.#failures = ranMs > STABLE_MS ? 0 : this.#failures + 1;
    const backoffMs = Math.min(MAX_BACKOFF_MS, 50 * 2 ** this.#failures);
    this.#options.onEvent?.(`${this.name} ${how}; starting again in ${backoffMs} ms`);
    this.#restartTimer = setTimeout(() => {
      const child = this.#spawn([this.#main], env);
      child.once('message', () => this.#options.onEvent?.(`${this.name} runs again, as process ${child.pid}`));
    }, backoffMs);
  }

  async #askReady(): Promise<string> {
    try {
      const response = await fetch(`${this.#endpoints.admin}/readyz`, { signal: AbortSignal.timeout(2_000) });
      return response.ok ? 'ready' : await response.text();
    } catch (error) {
      return reasonOf(error);
    }
  }

  #failure(what: string): Error {
    const { logFile } = this.#options;
    // A device has no end to read to.
    const isFile = existsSync(logFile) && statSync(logFile).isFile();
    const written = isFile ? readFileSync(logFile).subarray(this.#logStart).toString() : '';
    const lines = written.trimEnd().split('\n');
    const why = lines.map(fatalReason).findLast((reason) => reason !== undefined);
    if (why !== undefined) return new AppFailedError(`${this.name} ${what}: ${why}. Its log is ${logFile}`);
    return new AppFailedError(`${this.name} ${what}. The end of ${logFile}:\n${lines.slice(-KEPT_LINES).join('\n')}`);
  }
}

/** What an app says when it gives up: a sentence in a line of JSON, with a stack trace beside it. */
function fatalReason(line: string): string | undefined {
  if (!line.startsWith('{"level":60,')) return undefined;
  try {
    return (JSON.parse(line) as { err?: { message?: string } }).err?.message?.replace(/\.$/, '');
  } catch {
    return undefined; // Cut off.
  }
}

function starting(): PromiseWithResolvers<void> {
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => {}); // Whoever waits for the start is told; later nobody does.
  return started;
}
