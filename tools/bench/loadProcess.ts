import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Answer, Ask, Load } from './load/main.ts';
import type { Queued } from './load/queue.ts';
import type { Seen } from './load/seen.ts';

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

type Question = Ask extends infer A ? (A extends Ask ? Omit<A, 'id'> : never) : never;

/** The load generator's process. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  /** Every trade that the broker has acknowledged to it, as it told last. */
  acknowledged = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: Answer) => {
      this.acknowledged = answer.acknowledged;
      const waiting = this.#waiting.get(answer.id);
      if (answer.failure === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(`the load generator: ${answer.failure}`));
      this.#waiting.delete(answer.id);
    });
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the load generator ended: ${code ?? signal}`));
      this.#waiting.clear();
    });
  }

  /** @param customersFile JSON of BenchCustomer[] */
  static async start(gateway: string, natsUrl: string, customersFile: string): Promise<LoadProcess> {
    const child = fork(join(import.meta.dirname, 'load', 'main.ts'), [gateway, natsUrl, customersFile], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const load = new LoadProcess(child);
    await load.#answerTo(0);
    return load;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async begin(load: Load): Promise<void> {
    await this.#ask({ ask: 'begin', load });
  }

  /** From now on it counts. */
  async openWindow(): Promise<void> {
    await this.#ask({ ask: 'open' });
  }

  async closeWindow(): Promise<void> {
    await this.#ask({ ask: 'close' });
  }

  /** Resolves when every trade has ended. @returns what it saw in the last window */
  async end(): Promise<Seen & { queued?: Queued }> {
    const { seen, queued } = await this.#ask({ ask: 'end' });
    if (seen === undefined) throw new Error('there was no window');
    return { ...seen, ...(queued && { queued }) };
  }

  /** Has so many WatchTrades streams open from now on, each of another customer. */
  async watch(streams: number): Promise<void> {
    await this.#ask({ ask: 'watch', streams });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await exited;
  }

  #ask(question: Question): Promise<Answer> {
    this.#asked += 1;
    this.#child.send({ id: this.#asked, ...question });
    return this.#answerTo(this.#asked);
  }

  #answerTo(id: number): Promise<Answer> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}
