import type { SeededRandom } from '@stockbroker/runtime';
import type { SimulatedProcess } from './simulatedProcess.ts';
import type { World } from './world.ts';

/** A server that others call: the database, NATS, the exchange. What it has done is durable. */
export class Service {
  readonly name: string;
  isUp = true;
  /** Since when it is as it is. */
  changedAtMs = 0;
  /** Calls in flight from before a restart are never answered. */
  generation = 0;
  /** How late calls may reach it, beside the network's delay. */
  slownessMs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** What to do to a process at its next call of an operation: exactly between two of its steps. */
export interface Trap {
  process: string;
  operation: string;
  moment: 'before' | 'after';
  spring: (process: SimulatedProcess) => void;
}

export interface CallOptions {
  operation: string;
  /** The caller gives up then; what it asked for may still be done, even long after. */
  timeoutMs: number;
  /** What the caller sees when it gets no answer. */
  toError: (cause: Error) => Error;
}

const USUAL_DELAY_MS = 5;

/** Carries calls and messages: late, out of order, or not at all. */
export class Network {
  readonly #world: World;
  readonly #random: SeededRandom;
  /** `process>service` of broken links. */
  readonly #cuts = new Map<string, number>();
  /** Processes that no message of NATS reaches, and none leaves. */
  readonly #deaf = new Set<string>();
  /** Processes whose watches, begun by then, are read from a copy of the leases that has diverged. */
  readonly #divergedAtMs = new Map<string, number>();
  /** Until then one copy in three has. */
  #divergedUntilMs = 0;
  readonly traps: Trap[] = [];
  /** Longest usual delay of one way. */
  maxDelayMs = USUAL_DELAY_MS;
  /** Share of calls and messages that are lost on one of their ways, or held up for many seconds. */
  troubleRate = 0;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
  }

  cut(process: string, service: string): void {
    this.#cuts.set(`${process}>${service}`, this.#world.nowMs);
  }

  restore(process: string, service: string): void {
    this.#cuts.delete(`${process}>${service}`);
  }

  deafen(process: string): void {
    this.#deaf.add(process);
  }

  hears(process: string): void {
    this.#deaf.delete(process);
  }

  isDeaf({ name }: SimulatedProcess): boolean {
    return this.#deaf.has(name);
  }

  diverge(process: string, ms: number): void {
    this.#divergedAtMs.set(process, this.#world.nowMs);
    this.#divergedUntilMs = this.#world.nowMs + ms;
  }

  /** Of a watch that begins now. */
  copyToWatch({ name }: SimulatedProcess): { hasDiverged: () => boolean } {
    const bornAtMs = this.#world.nowMs;
    const isBad = bornAtMs < this.#divergedUntilMs && this.#random.chance(1 / 3);
    return { hasDiverged: () => isBad || bornAtMs < (this.#divergedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) };
  }

  restoreAll(): void {
    this.#divergedUntilMs = 0;
    this.#cuts.clear();
    this.#deaf.clear();
  }

  /** Whether every process reaches every service, at its usual speed. */
  get isCalm(): boolean {
    return this.#cuts.size === 0 && this.#deaf.size === 0 && this.troubleRate === 0 && this.maxDelayMs === USUAL_DELAY_MS;
  }

  /** Quick and reliable again. */
  calm(): void {
    this.troubleRate = 0;
    this.maxDelayMs = USUAL_DELAY_MS;
  }

  isCut(process: SimulatedProcess, service: Service): boolean {
    return this.#cuts.has(`${process.name}>${service.name}`);
  }

  /** Since when the process cannot reach the service; undefined while it can. */
  unreachableSinceMs(process: SimulatedProcess, service: Service): number | undefined {
    return service.isUp ? this.#cuts.get(`${process.name}>${service.name}`) : service.changedAtMs;
  }

  stop(service: Service): void {
    service.isUp = false;
    service.changedAtMs = this.#world.nowMs;
    service.generation += 1;
  }

  start(service: Service): void {
    service.isUp = true;
    service.changedAtMs = this.#world.nowMs;
  }

  delayMs(): number {
    return this.#random.chance(this.troubleRate) ? this.#random.skewed(10, 20_000) : this.#random.number() * this.maxDelayMs;
  }

  isLost(): boolean {
    return this.#random.chance(this.troubleRate);
  }

  /** Has the service do something, whole and at one moment. Rejects when no answer comes, whether it was done or not. */
  call<T>(from: SimulatedProcess, to: Service, options: CallOptions, run: () => T): Promise<T> {
    this.#spring(from, options.operation, 'before');
    if (!from.isAlive) return new Promise(() => {});
    return new Promise<T>((resolve, reject) => {
      const sentAtMs = Math.max(this.#world.nowMs, from.pausedUntilMs);
      const fail = (atMs: number, why: string) =>
        this.#world.at(atMs, () => from.deliver(() => reject(options.toError(new Error(`${options.operation}: ${why}`)))));
      const timedOut = () => fail(sentAtMs + options.timeoutMs, 'no answer in time');
      if (!to.isUp) return fail(sentAtMs + Math.min(this.delayMs(), options.timeoutMs), 'connection refused');
      const { generation } = to;
      if (this.isLost()) return timedOut();
      const slowMs = to.slownessMs === 0 ? 0 : this.#random.number() * to.slownessMs;
      const arrivesAtMs = sentAtMs + this.delayMs() + slowMs;
      if (arrivesAtMs > sentAtMs + options.timeoutMs) timedOut();
      this.#world.quietlyAt(arrivesAtMs, () => {
        if (this.isCut(from, to)) return timedOut();
        if (to.generation !== generation) return fail(this.#world.nowMs, 'connection lost');
        const answer = attempt(run);
        this.#spring(from, options.operation, 'after');
        if (this.isLost()) return timedOut();
        const answersAtMs = this.#world.nowMs + this.delayMs();
        if (answersAtMs > sentAtMs + options.timeoutMs) timedOut();
        this.#world.at(answersAtMs, () => {
          if (to.generation !== generation) return fail(this.#world.nowMs, 'connection lost');
          if (this.isCut(from, to)) return timedOut();
          from.deliver(() => ('error' in answer ? reject(answer.error) : resolve(answer.value)));
        });
      });
    });
  }

  #spring(process: SimulatedProcess, operation: string, moment: Trap['moment']): void {
    const i = this.traps.findIndex((t) => process.name.startsWith(t.process) && t.operation === operation && t.moment === moment);
    if (i >= 0) this.traps.splice(i, 1)[0]?.spring(process);
  }
}

function attempt<T>(run: () => T): { value: T } | { error: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}
