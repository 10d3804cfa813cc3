import { DRAINING, drainKey, JOINING, leaseKey, parseValue, partitionIn, presenceKey, toValue } from './keys.ts';
import { Membership } from './membership.ts';
import { Moves } from './moves.ts';
import { OtherLeases } from './otherLeases.ts';
import type { ElectorEvents, ElectorOptions, LeaseChange, LeaseClock, LeaseStore, WithoutLeader } from './ports.ts';
import { Presence } from './presence.ts';
import { takeLease } from './takeLease.ts';
import { Held, type Term } from './term.ts';

const TICK_MS = 50;
/** A partition without a leader is the first one's to take; each further one of its cluster waits this much longer. */
const STANDBY_MS = 500;
/** After a hand-over that the other did not take, it is not offered to it again for this long. */
const REFUSED_MS = 10_000;

/** Competes for the leases of all partitions. Its README is the state model. */
export class Elector {
  readonly #options: ElectorOptions;
  readonly #store: LeaseStore;
  readonly #clock: LeaseClock;
  readonly #events: ElectorEvents;
  /** How long a creation or renewal is trusted, from its attempt. */
  readonly #lifetimeMs: number;
  readonly #value: string;
  readonly #membership: Membership;
  readonly #held = new Map<number, Held>();
  readonly #others = new OtherLeases();
  readonly #acquiring = new Set<number>();
  readonly #moves: Moves;
  readonly #refusedUntilMs = new Map<number, number>();
  readonly #stopped = new AbortController();
  readonly #presence: Presence;
  /** Why a lease could not be had the last time. */
  #notAcquired = 'not tried yet';
  #leaving = false;
  #draining = false;
  #watch = new AbortController();
  #loops: Promise<void>[] = [];

  constructor(options: ElectorOptions, store: LeaseStore, clock: LeaseClock, events: ElectorEvents) {
    this.#options = options;
    this.#store = store;
    this.#clock = clock;
    this.#events = events;
    this.#lifetimeMs = options.ttlMs - options.marginMs;
    this.#value = toValue(options.workerId, options.ttlMs);
    const isAlone = () => this.#membership.workers.every((worker) => worker === options.workerId);
    this.#moves = new Moves(clock, isAlone);
    const announce = (as: string) =>
      this.#tolerate('announce', () => store.put(presenceKey(options.workerId), toValue(as, options.ttlMs)));
    this.#presence = new Presence({ workerId: options.workerId, renewMs: options.renewMs, clock, isAlone, announce });
    this.#membership = new Membership(options.partitions, options.clusterSize);
  }

  get held(): number[] {
    return [...this.#held.keys()];
  }

  get workers(): string[] {
    return this.#membership.workers;
  }

  /** Partitions that this worker may lead, and nobody has led for longer than a lease's lifetime. */
  get withoutLeader(): WithoutLeader {
    const { workerId, ttlMs } = this.#options;
    const vacant = this.#leaving || this.#draining ? [] : this.#others.vacantBefore(this.#clock.monotonicMs() - ttlMs);
    const ours = vacant.filter((partition) => this.#membership.cluster(partition).includes(workerId));
    return { partitions: ours, why: this.#notAcquired };
  }

  /** True from the moment in which an operator asked this worker to drain, for as long as it runs. */
  get isDraining(): boolean {
    return this.#draining;
  }

  start(): void {
    this.#loops = [this.#watchLoop(), this.#tickLoop()];
  }

  /** Gives the term up because the database has another leader; competes again like anyone. */
  async resign(term: Term): Promise<void> {
    const held = this.#held.get(term.partition);
    if (held === undefined || held !== term) return;
    this.#lose(held);
    await this.#tolerate('resign', () => this.#store.delete(leaseKey(term.partition), held.revision));
  }

  /** Leaves: the others take over each partition as soon as its work in hand is done. */
  async stop(): Promise<void> {
    this.#leaving = true;
    await this.#presence.leave();
    await this.#tolerate('leave', () => this.#store.delete(presenceKey(this.#options.workerId)));
    await Promise.all([...this.#held.values()].map((held) => this.#handOver(held)));
    this.#stopped.abort();
    this.#watch.abort();
    await Promise.all(this.#loops);
  }

  async #tickLoop(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#tick();
      await this.#clock.sleep(TICK_MS, this.#stopped.signal);
    }
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#membership.expire(nowMs);
    // Whose lease ends without being given up is gone, though the presence may outlive it by a renewal's time.
    for (const holder of this.#others.expire(nowMs)) if (holder !== this.#options.workerId) this.#membership.left(holder);
    for (const held of this.#held.values()) {
      if (!held.isTrusted()) this.#lapse(held);
      else if (!held.busy && nowMs - held.attemptedAtMs >= this.#options.renewMs) void this.#renew(held);
    }
    if (this.#leaving) return;
    this.#presence.tick(nowMs);
    if (this.#presence.isUnheard(nowMs)) this.#watch.abort();
    for (let partition = 0; partition < this.#options.partitions; partition += 1) this.#consider(partition, nowMs);
  }

  /** Takes a vacant partition when it is our turn; hands over one that another should lead. */
  #consider(partition: number, nowMs: number): void {
    // Who does not see itself cannot judge its rank: at the start, and after an outage.
    if (this.#leaving || this.#draining || !this.#membership.has(this.#options.workerId)) return;
    const cluster = this.#membership.cluster(partition);
    const rank = cluster.indexOf(this.#options.workerId);
    const held = this.#held.get(partition);
    if (held !== undefined) {
      const refused = (this.#refusedUntilMs.get(partition) ?? 0) > nowMs;
      if (rank !== 0 && !refused) void this.#handOver(held);
      return;
    }
    if (rank < 0 || this.#others.has(partition) || this.#acquiring.has(partition)) return;
    if (nowMs - this.#others.vacantSinceMs(partition, nowMs) >= rank * STANDBY_MS) void this.#acquire(partition, rank);
  }

  async #acquire(partition: number, rank: number): Promise<void> {
    this.#acquiring.add(partition);
    const attemptedAtMs = this.#clock.monotonicMs();
    try {
      const expired = { revision: this.#others.expired(partition), refused: () => this.#others.forgetExpired(partition) };
      const revision = await takeLease(this.#store, leaseKey(partition), this.#value, expired);
      this.#notAcquired = 'the store says that the lease is taken';
      if (revision === 'taken') return;
      if (this.#leaving || this.#draining) return await this.#store.delete(leaseKey(partition), revision);
      const held = new Held(partition, revision, this.#clock, this.#lifetimeMs, attemptedAtMs);
      if (rank > 0) this.#refusedUntilMs.set(partition, attemptedAtMs + REFUSED_MS);
      this.#held.set(partition, held);
      this.#others.taken(partition);
      this.#events.elected(held);
    } catch (error) {
      this.#notAcquired = error instanceof Error ? error.message : String(error);
      this.#events.problem(`partition ${partition} not acquired`, error);
    } finally {
      this.#acquiring.delete(partition);
    }
  }

  /** Trust counts from the attempt: the store cannot have begun the new lifetime before. */
  async #renew(held: Held): Promise<void> {
    held.busy = true;
    const attemptedAtMs = this.#clock.monotonicMs();
    const { revision: known } = held;
    held.attemptedAtMs = attemptedAtMs;
    try {
      const revision = await this.#store.update(leaseKey(held.partition), this.#value, known);
      if (this.#held.get(held.partition) !== held) return;
      if (revision === 'lost') {
        // Unless the answer to an earlier renewal was lost: then the watch has told of that revision, and the next try has it.
        if (held.revision === known) this.#lose(held);
        return;
      }
      held.renewed(revision, attemptedAtMs);
    } catch (error) {
      this.#events.problem(`partition ${held.partition} not renewed`, error);
    } finally {
      held.busy = false;
    }
  }

  /** Nobody may have taken it meanwhile: then its key is still there, and ours to take like any that has ended. */
  #lapse(held: Held): void {
    this.#lose(held);
    this.#others.lapsed(held.partition, held.revision);
  }

  #lose(held: Held): void {
    if (this.#held.get(held.partition) !== held) return;
    this.#held.delete(held.partition);
    held.end();
    this.#others.vacant(held.partition, this.#clock.monotonicMs());
    this.#events.lost(held);
  }

  /** Asked for by an operator: gives everything up as `stop` does, takes nothing more, but runs on. Only a restart undoes it. */
  async #drain(): Promise<void> {
    if (this.#draining || this.#leaving) return;
    this.#draining = true;
    await this.#presence.drain();
    await Promise.all([...this.#held.values()].map((held) => this.#handOver(held)));
  }

  #handOver(held: Held): Promise<void> {
    held.handingOver ??= this.#moves
      .run(
        () => this.#giveUp(held),
        () => this.#held.has(held.partition) || this.#others.has(held.partition),
      )
      .finally(() => {
        held.handingOver = undefined;
      });
    return held.handingOver;
  }

  async #giveUp(held: Held): Promise<void> {
    if (!this.#mustMove(held)) return;
    try {
      await this.#events.handOver(held);
    } catch (error) {
      this.#events.problem(`partition ${held.partition} not handed over cleanly`, error);
    }
    while (held.busy) await this.#clock.sleep(1);
    if (this.#held.get(held.partition) !== held) return;
    this.#held.delete(held.partition);
    held.end();
    this.#others.vacant(held.partition, this.#clock.monotonicMs());
    await this.#tolerate('hand-over', () => this.#store.delete(leaseKey(held.partition), held.revision));
  }

  /** Its turn comes late: by then it may be lost, or whoever it was meant for be gone. */
  #mustMove(held: Held): boolean {
    if (this.#held.get(held.partition) !== held) return false;
    return this.#leaving || this.#draining || this.#membership.cluster(held.partition)[0] !== this.#options.workerId;
  }

  async #watchLoop(): Promise<void> {
    await this.#presence.announce(); // First, so that the watch shows by it how old all the rest is.
    while (!this.#stopped.signal.aborted) {
      this.#watch = new AbortController();
      this.#others.forgetRevisions();
      try {
        for await (const change of this.#store.watch(this.#watch.signal)) this.#observe(change);
      } catch (error) {
        this.#events.problem('watch interrupted', error);
      }
      await this.#clock.sleep(TICK_MS, this.#stopped.signal);
    }
  }

  #observe({ key, holder: value, revision, ageMs }: LeaseChange): void {
    const { workerId, partitions, ttlMs } = this.#options;
    const { holder, ttlMs: lifetimeMs } = value === null ? { holder: null, ttlMs } : parseValue(value, ttlMs);
    // A worker that begins must not give the lease of a dead one its whole lifetime again.
    const endsAtMs = this.#clock.monotonicMs() - ageMs + lifetimeMs;
    const [kind, name = ''] = key.split('.');
    if (key === drainKey(workerId) && holder !== null) void this.#drain();
    const partition = partitionIn(key, partitions);
    if (kind === 'worker') this.#observeWorker(name, holder, revision, endsAtMs);
    else if (partition !== undefined) this.#observeLease(partition, holder, revision, endsAtMs);
  }

  #observeWorker(worker: string, holder: string | null, revision: number, endsAtMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (worker === this.#options.workerId) this.#presence.heard(revision, nowMs);
    if (holder === null || holder === DRAINING || holder === JOINING || endsAtMs <= nowMs) this.#membership.left(worker);
    else this.#membership.saw(worker, endsAtMs);
    if (!this.#leaving) for (let p = 0; p < this.#options.partitions; p += 1) this.#consider(p, nowMs);
  }

  #observeLease(partition: number, holder: string | null, revision: number, endsAtMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const held = this.#held.get(partition);
    if (held !== undefined && revision < held.revision) return; // The watch lags behind the answers to our own calls.
    if (holder === this.#options.workerId && held !== undefined) {
      held.saw(revision);
    } else if (holder === null) {
      if (held === undefined) {
        this.#others.vacant(partition, nowMs);
        this.#consider(partition, nowMs);
      }
    } else if (holder !== this.#options.workerId) {
      this.#others.saw(partition, holder, endsAtMs, revision);
    } else if (!this.#acquiring.has(partition)) {
      // In our name, but we do not know to hold it, because the answer was lost. Should the deletion fail, it ends like another's.
      this.#others.saw(partition, holder, endsAtMs, revision);
      void this.#tolerate('drop a stray lease', () => this.#store.delete(leaseKey(partition), revision));
    }
  }

  /** For calls whose failure costs only time. */
  async #tolerate<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      this.#events.problem(`${what} failed`, error);
      return undefined;
    }
  }
}
