import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const READY_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 15_000;
const MAX_BACKOFF_MS = 5_000;
/** A process that ran for this long had started well: its next restart is quick again. */
const STABLE_MS = 10_000;

export type AppName = 'exchange' | 'callback' | 'worker' | 'gateway';

export interface AppProcessOptions {
  /** Unique in the system, e.g. "worker-2". */
  name: string;
  app: AppName;
  env: Record<string, string>;
  logFile: string;
  /** Starts the process again when it ends by itself, with backoff. */
  restart: boolean;
  /** Told of each start and end, in words for people. */
  onEvent?: (line: string) => void;
}

/** One app as a process of its own, as in production: its environment is all it gets. */
export class AppProcess {
  readonly name: string;
  readonly #options: AppProcessOptions;
  #child: ChildProcess | undefined;
  #endpoints: Record<string, string> = {};
  #started = Promise.withResolvers<void>();
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;
  #failures = 0;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(options: AppProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Where it listens, as it told when it was started. */
  get endpoints(): Record<string, string> {
    return this.#endpoints;
  }

  /** Starts the process; resolves when it says that it is ready. @throws Error with the end of its log when it ends before */
  async start(): Promise<void> {
    this.#spawn();
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
      last = await this.#askReady();
      if (last === 'ready') return;
      await new Promise((resolve) => setTimeout(resolve, 20));
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

  /** Stops it in order and for good. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_DEADLINE_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #spawn(): void {
    mkdirSync(dirname(this.#options.logFile), { recursive: true });
    const log = openSync(this.#options.logFile, 'a');
    const startedAtMs = Date.now();
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'apps', this.#options.app, 'src', 'main.ts')],
      {
        cwd: ROOT,
        env: { ...inheritedEnvironment(), ...this.#options.env },
        stdio: ['ignore', log, log, 'ipc'],
        // Its own process group: Ctrl-C reaches the supervisor alone, which stops everything in order.
        detached: true,
      },
    );
    closeSync(log);
    this.#child = child;
    child.on('message', (message: { endpoints?: Record<string, string> }) => {
      this.#endpoints = message.endpoints ?? {};
      this.#started.resolve();
    });
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve();
        this.#onExit(code, signal, Date.now() - startedAtMs);
      });
    });
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null, ranMs: number): void {
    this.#child = undefined;
    if (this.#stopping) return;
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    if (!this.#options.restart || Object.keys(this.#endpoints).length === 0) {
      this.#started.reject(this.#failure(how));
      this.#started.promise.catch(() => {}); // Whoever waits for the start is told; later nobody does.
      return;
    }
    this.#failures = ranMs > STABLE_MS ? 0 : this.#failures + 1;
    const backoffMs = Math.min(MAX_BACKOFF_MS, 50 * 2 ** this.#failures);
    this.#options.onEvent?.(`${this.name} ${how}; starting again in ${backoffMs} ms`);
    this.#restartTimer = setTimeout(() => this.#spawn(), backoffMs);
  }

  async #askReady(): Promise<string> {
    try {
      const response = await fetch(`${this.#endpoints.admin}/readyz`, { signal: AbortSignal.timeout(2_000) });
      return response.ok ? 'ready' : await response.text();
    } catch (error) {
      return String(error);
    }
  }

  #failure(what: string): Error {
    const log = readFileSync(this.#options.logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
    return new Error(`${this.name} ${what}. The end of ${this.#options.logFile}:\n${log}`);
  }
}

/** What a process needs of its parent's environment; the apps' own variables come from the system alone. */
function inheritedEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE', 'NODE_OPTIONS'];
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
