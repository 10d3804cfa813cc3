import type { ClientCall, Evidence, Violation } from '@stockbroker/testkit';
import type { MadeFault } from './conductor.ts';
import type { Sighting } from './lookout.ts';
import { DATABASE_POOL, LEASE_TTL_MS } from './servers.ts';

/** What the tool knows besides the evidence: what was broken when, and what was seen from outside. */
export interface WorldFacts {
  made: readonly MadeFault[];
  sightings: readonly Sighting[];
  evidence: Evidence;
}

/** Beyond the lease's lifetime, on a machine that is busy. */
const LEAD_WITHIN_MS = LEASE_TTL_MS + 8_000;
/** Nothing of a fault is felt for longer. */
const AFTERMATH_MS = 15_000;
/** The defaults of MAX_PLACED_WAIT_MS and MAX_RESEND_AGE_MS. */
const LIMIT_MS = 60_000;
/** In so long without a fault every trade is taken up. */
const QUIET_MS = 20_000;
/** What a customer whose row nobody has locked is made to wait. */
const SLOW_MS = 1_500;
const MOST_SLOW = 0.2;
const USUALLY_SLOW = 0.2;
const FEWEST_CALLS = 10;

/** What only a world with these faults can show. Pure functions, as the other checks. */
export function checkWorld(facts: WorldFacts): Violation[] {
  const ofTime = isBusy(facts) ? [] : [...withoutLeader(facts), ...heldUpByOthers(facts)];
  return [...ofTime, ...tooManyConnections(facts), ...falselyTooLate(facts)];
}

/** Trades are slowly taken also when nothing is broken that they need for it: on such a machine times say nothing. */
function isBusy({ made, evidence }: WorldFacts): boolean {
  const faults = made.filter(({ kind, outcome }) => outcome !== 'skipped' && !/^(?:exchange|customer)\./.test(kind));
  const isWell = ({ startedMs, endedMs }: ClientCall) =>
    !faults.some((fault) => fault.beganMs < endedMs && startedMs < fault.endedMs);
  const undisturbed = evidence.clientLog.filter((call) => call.method === 'PlaceTrade' && isWell(call));
  return slowAmong(undisturbed).length > USUALLY_SLOW * Math.max(undisturbed.length, FEWEST_CALLS);
}

const isLeadersFault = ({ kind }: MadeFault) => /^(?:worker|nats|postgres|market)\./.test(kind);

/** While workers, NATS and PostgreSQL are well, nothing is without a leader for longer than it takes to replace one. */
function withoutLeader({ made, sightings }: WorldFacts): Violation[] {
  const faults = made.filter((fault) => fault.outcome !== 'skipped' && isLeadersFault(fault));
  const sinceMs = new Map<number, number>();
  for (const { atMs, unled } of sightings) {
    const isBroken = faults.some(({ beganMs, endedMs }) => beganMs <= atMs && atMs <= endedMs);
    const without = isBroken ? [] : (unled ?? []);
    for (const partition of sinceMs.keys()) if (!without.includes(partition)) sinceMs.delete(partition);
    for (const partition of without) {
      const since = sinceMs.get(partition) ?? atMs;
      sinceMs.set(partition, since);
      if (atMs - since <= LEAD_WITHIN_MS) continue;
      const message = `partition ${partition} had no leader for ${seconds(atMs - since)}, and workers, NATS and PostgreSQL were well`;
      return [{ check: 'led', message }];
    }
  }
  return [];
}

/** While commits wait for the standby, a process keeps to its pool. */
function tooManyConnections({ made, sightings }: WorldFacts): Violation[] {
  const most = made
    .filter((fault) => fault.kind === 'postgres.wait-for-standby' && fault.outcome === 'done')
    .flatMap((wait) =>
      sightings
        .filter(({ atMs }) => atMs > wait.beganMs && atMs < wait.endedMs)
        .filter(({ atMs }) => !made.some((other) => other !== wait && isFeltAt(other, atMs) && /postgres/.test(other.kind)))
        .map(({ connections = 0 }) => connections),
    )
    .reduce((max, count) => Math.max(max, count), 0);
  if (most <= DATABASE_POOL) return [];
  const message = `a process had ${most} connections while commits waited for the standby; its pool has ${DATABASE_POOL}`;
  return [{ check: 'connections', message }];
}

/** While some customers' rows are locked from outside, the others' trades are taken as ever: as when nothing is broken. */
function heldUpByOthers({ made, evidence }: WorldFacts): Violation[] {
  return made
    .filter((fault) => fault.kind === 'postgres.lock-row' && fault.outcome === 'done')
    .flatMap((fault) => {
      if (made.some((other) => other.kind !== fault.kind && other.outcome !== 'skipped' && overlaps(other, fault))) return [];
      const calls = evidence.clientLog.filter((call) => isOfOthers(call, fault));
      const slow = slowAmong(calls);
      if (calls.length < FEWEST_CALLS || slow.length <= MOST_SLOW * calls.length) return [];
      const message = `while rows of three customers were locked, ${slow.length} of ${calls.length} trades of others were not taken within ${seconds(SLOW_MS)}`;
      return [{ check: 'isolated', message }];
    });
}

function isOfOthers({ method, customerId, startedMs }: ClientCall, { target, beganMs, endedMs }: MadeFault): boolean {
  return method === 'PlaceTrade' && startedMs > beganMs && startedMs < endedMs && !target.includes(customerId);
}

function slowAmong(calls: ClientCall[]): ClientCall[] {
  return calls.filter(({ startedMs, endedMs, answer }) => endedMs - startedMs > SLOW_MS || isUnavailable(answer));
}

function isUnavailable(answer: ClientCall['answer']): boolean {
  return answer.kind === 'error' && (answer.code === 'UNAVAILABLE' || answer.code === 'DEADLINE_EXCEEDED');
}

/** WAITED_TOO_LONG is only said of a trade that was its customer's oldest for so long, by the database's clock. */
function falselyTooLate({ evidence }: WorldFacts): Violation[] {
  const violations: Violation[] = [];
  for (const [customerId, trades] of Map.groupBy(evidence.tables.trades, (trade) => trade.customerId)) {
    let turnMs = Number.NEGATIVE_INFINITY;
    for (const { id, createdAt, endedAt, rejectCode } of trades.toSorted((a, b) => (a.seq < b.seq ? -1 : 1))) {
      const waitedMs = (endedAt?.getTime() ?? 0) - Math.max(createdAt.getTime(), turnMs);
      if (rejectCode === 'WAITED_TOO_LONG' && waitedMs < LIMIT_MS) {
        const message = `trade ${id} is rejected WAITED_TOO_LONG after ${seconds(waitedMs)}`;
        violations.push({ check: 'waited', message, customerId, tradeId: id });
      }
      if (rejectCode !== 'CANCELED' && rejectCode !== 'MARKET_CLOSED') turnMs = Math.max(turnMs, endedAt?.getTime() ?? turnMs);
    }
  }
  return violations;
}

/**
 * Trades that may be open in the end: marked, never taken by the exchange, and by the time at which they could have been sent too old for
 * it; they are held for an operator. And their customers' later ones.
 */
export function rightlyOpen({ made, evidence }: Pick<WorldFacts, 'made' | 'evidence'>): Set<string> {
  const taken = new Map(evidence.journal.map(({ orderId, attempt }) => [orderId, attempt]));
  const held = evidence.tables.trades.filter(({ id, status, submittedAt, attempt }) => {
    const isUnknown = (taken.get(id) ?? -1) < attempt;
    return status === 'executed' && submittedAt !== null && isUnknown && !hadQuiet(made, submittedAt.getTime());
  });
  const firstHeld = new Map(held.toReversed().map(({ customerId, seq }) => [customerId, seq]));
  const behind = evidence.tables.trades.filter(({ status, customerId, seq }) => {
    const first = firstHeld.get(customerId);
    return status === 'placed' && first !== undefined && seq > first;
  });
  return new Set([...held, ...behind].map(({ id }) => id));
}

/** Whether in the time in which a trade may be sent there was one in which nothing was broken for long enough to send it. */
function hadQuiet(made: readonly MadeFault[], markedAtMs: number): boolean {
  const fromMs = markedAtMs - performance.timeOrigin;
  const faults = made
    .filter(({ kind, outcome }) => outcome !== 'skipped' && !/^(?:gateway|callback|balancer|customer)\./.test(kind))
    .toSorted((a, b) => a.beganMs - b.beganMs);
  let wellMs = fromMs;
  for (const { beganMs, endedMs } of faults) {
    if (endedMs < wellMs || beganMs > fromMs + LIMIT_MS) continue;
    if (beganMs - wellMs >= QUIET_MS) return true;
    wellMs = endedMs;
  }
  return fromMs + LIMIT_MS - wellMs >= QUIET_MS;
}

function isFeltAt({ beganMs, endedMs, outcome }: MadeFault, atMs: number): boolean {
  return outcome !== 'skipped' && beganMs <= atMs && atMs <= endedMs + AFTERMATH_MS;
}

function overlaps(a: MadeFault, b: MadeFault): boolean {
  return a.beganMs < b.endedMs && a.endedMs + AFTERMATH_MS > b.beganMs;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
