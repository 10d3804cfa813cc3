import { type ClientCall, checkEvidence, type Evidence, historyOf, type Violation } from '@stockbroker/testkit';
import { type Percentiles, percentiles } from '../percentiles.ts';
import type { MadeFault } from './conductor.ts';
import { KIND_NAMES, type KindName } from './kinds.ts';
import type { Sighting } from './lookout.ts';
import type { Takeover } from './takeovers.ts';
import { checkWorld, rightlyOpen } from './worldChecks.ts';

/** Violations told with their history; of more only the words. */
const MOST_HISTORIES = 20;
/** How long after a fault its outage is looked for. */
const AFTERMATH_MS = 15_000;

/** A run's outcome; also its JSON document. Times in milliseconds. */
export interface ChaosResult {
  seed: number;
  minutes: number;
  faults: {
    planned: number;
    done: number;
    skipped: number;
    byKind: Partial<Record<KindName, { done: number; skipped: number }>>;
  };
  /** `held`: open in the end, and rightly, for an operator. */
  trades: { stored: number; held: number; byStatus: Record<string, number>; rejectedByCode: Record<string, number> };
  clients: { customers: number; calls: number; repeated: number; heldBack: number; errorsByCode: Record<string, number> };
  /** Reports that the exchange was made to forge and that were taken; callbacks in quarantine. */
  lies: { forged: number; quarantined: number };
  takeovers: {
    /** From the kill of a worker to the next order of each partition that it led and that had a trade waiting. */
    all: Percentiles;
    /** Those that nothing else disturbed. */
    undisturbed: Percentiles;
  };
  outages: {
    /** Longest time without a trade acknowledged, around each fault of PostgreSQL. */
    postgres: Percentiles;
    /** Longest time without an order sent, around each fault of NATS. */
    nats: Percentiles;
  };
  /** From the end of the faults until all was well, and until no trade was open. */
  healMs: number;
  drainMs: number;
  violations: (Violation & { history: string[] })[];
}

export interface RunFacts {
  seed: number;
  minutes: number;
  planned: number;
  made: MadeFault[];
  /** What was not well when everything was healed. */
  trouble: string[];
  evidence: Evidence;
  takeovers: Takeover[];
  sightings: Sighting[];
  repeated: number;
  heldBack: number;
  errorsByCode: Record<string, number>;
  healMs: number;
  drainMs: number;
}

export function resultOf(facts: RunFacts): ChaosResult {
  const { seed, minutes, made, evidence, takeovers, healMs, drainMs } = facts;
  const { trades, quarantine } = evidence.tables;
  const unwell = facts.trouble.map((message) => ({ check: 'healed', message }));
  const isInSession = (fromMs: number, toMs: number) =>
    !made.some(({ kind, beganMs, endedMs }) => kind === 'market.close' && beganMs < toMs && endedMs > fromMs);
  const inSession = takeovers.filter(({ killedAtMs, tookMs }) => {
    const fromMs = killedAtMs - performance.timeOrigin;
    return isInSession(fromMs, fromMs + tookMs);
  });
  const mayBeOpen = rightlyOpen(facts);
  const violations = [
    ...harnessTrouble(made),
    ...unwell,
    ...falselyUnavailable(evidence),
    ...checkWorld(facts),
    ...checkEvidence(evidence).filter(({ check, tradeId }) => check !== 'ended' || !mayBeOpen.has(tradeId ?? '')),
  ];
  return {
    seed,
    minutes,
    faults: { planned: facts.planned, done: count(made, 'done'), skipped: count(made, 'skipped'), byKind: byKind(made) },
    trades: {
      stored: trades.length,
      held: mayBeOpen.size,
      byStatus: tally(trades.map(({ status }) => status)),
      rejectedByCode: tally(trades.flatMap(({ rejectCode }) => rejectCode ?? [])),
    },
    clients: {
      customers: evidence.openings.length,
      calls: evidence.clientLog.length,
      repeated: facts.repeated,
      heldBack: facts.heldBack,
      errorsByCode: facts.errorsByCode,
    },
    lies: { forged: evidence.lies.filter(({ delivered }) => delivered).length, quarantined: quarantine.length },
    takeovers: {
      all: percentiles(inSession.map(({ tookMs }) => tookMs)),
      undisturbed: percentiles(inSession.filter((takeover) => isUndisturbed(takeover, made)).map(({ tookMs }) => tookMs)),
    },
    outages: {
      postgres: percentiles(gaps(made, 'postgres.', evidence.clientLog.flatMap(acknowledgedMs))),
      nats: percentiles(
        gaps(
          made.filter(({ beganMs, endedMs }) => isInSession(beganMs, endedMs + AFTERMATH_MS)),
          'nats.',
          trades.flatMap(({ submittedAt }) => submittedMs(submittedAt)),
        ),
      ),
    },
    healMs: Math.round(healMs),
    drainMs: Math.round(drainMs),
    violations: violations.map((violation, i) => ({
      ...violation,
      history: i < MOST_HISTORIES ? historyOf(evidence, violation) : [],
    })),
  };
}

/** What the tool itself could not do: then the run has not proven what it should. */
function harnessTrouble(made: MadeFault[]): Violation[] {
  return made.flatMap(({ number, kind, target, problem }) =>
    problem === undefined ? [] : [{ check: 'harness', message: `#${number} ${kind} of ${target}: ${problem}` }],
  );
}

/** No fault keeps the exchange away for as long as it takes until a trade may be rejected for it. */
function falselyUnavailable({ tables }: Evidence): Violation[] {
  const rejected = tables.trades.filter(({ rejectCode }) => rejectCode === 'EXCHANGE_UNAVAILABLE');
  return rejected.map(({ id, customerId }) => ({
    check: 'unavailable',
    message: `trade ${id} is rejected EXCHANGE_UNAVAILABLE, and the exchange was never away for long`,
    customerId,
    tradeId: id,
  }));
}

function acknowledgedMs({ method, answer, endedMs }: ClientCall): number[] {
  return method === 'PlaceTrade' && answer.kind === 'trade' ? [endedMs] : [];
}

/** Wall clock to performance.now(). */
function submittedMs(submittedAt: Date | null): number[] {
  return submittedAt === null ? [] : [submittedAt.getTime() - performance.timeOrigin];
}

/** The longest pause between two moments, around each fault of the kind. */
function gaps(made: MadeFault[], prefix: string, moments: number[]): number[] {
  const sorted = moments.toSorted((a, b) => a - b);
  return made
    .filter(({ kind, outcome }) => outcome === 'done' && kind.startsWith(prefix))
    .map(({ beganMs, endedMs }) => {
      const before = sorted.findLast((ms) => ms <= beganMs) ?? beganMs;
      const during = sorted.filter((ms) => ms > beganMs && ms < endedMs + AFTERMATH_MS);
      return [before, ...during].reduce((longest, ms, i, all) => Math.max(longest, ms - (all[i - 1] ?? ms)), 0);
    });
}

/** Whether nothing but the kill happened from it to the partition's next order. */
function isUndisturbed({ worker, killedAtMs, tookMs }: Takeover, made: MadeFault[]): boolean {
  const fromMs = killedAtMs - performance.timeOrigin;
  return !made.some((fault) => {
    const isTheKill = fault.kind === 'worker.kill' && fault.target === worker && Math.abs(fault.beganMs - fromMs) < 2_000;
    return !isTheKill && fault.outcome === 'done' && fault.beganMs < fromMs + tookMs && fault.endedMs > fromMs - 1_000;
  });
}

function byKind(made: MadeFault[]): ChaosResult['faults']['byKind'] {
  const kinds = KIND_NAMES.map((name) => [name, made.filter(({ kind }) => kind === name)] as const);
  const counts = kinds.filter(([, faults]) => faults.length > 0);
  return Object.fromEntries(
    counts.map(([name, faults]) => [name, { done: count(faults, 'done'), skipped: count(faults, 'skipped') }]),
  );
}

function count(made: MadeFault[], wanted: MadeFault['outcome']): number {
  return made.filter(({ outcome }) => outcome === wanted).length;
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
