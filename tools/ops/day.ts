import type { IdRange } from '@stockbroker/store/operate';
import { UserError } from '../cli.ts';

/** The exchange's: its days begin and end by New York's clocks. */
export const TIME_ZONE = 'America/New_York';

const PARTS = new Intl.DateTimeFormat('en-CA', {
  timeZone: TIME_ZONE,
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** Today at the exchange, "2026-11-22". */
export function today(now: Date): string {
  return readClock(now.getTime()).date;
}

/** @throws UserError when it is no day, e.g. "2026-02-30" */
export function dayBounds(day: string): { from: Date; before: Date } {
  const noon = Date.parse(`${day}T12:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(noon) || new Date(noon).toISOString().slice(0, 10) !== day) {
    throw new UserError(`--day must be like 2026-11-22, but is ${JSON.stringify(day)}.`);
  }
  const next = new Date(noon + 86_400_000).toISOString().slice(0, 10);
  return { from: midnight(day), before: midnight(next) };
}

/** Ids begin with the moment in which their trade was placed (UUID v7): a day is the ids from one to the other. */
export function idsOf({ from, before }: { from: Date; before: Date }): IdRange {
  return { from: firstId(from), before: firstId(before) };
}

function firstId(at: Date): string {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The moment in which the clocks show 0:00 of a day; they never skip midnight there. */
function midnight(day: string): Date {
  const utc = Date.parse(`${day}T00:00:00Z`);
  // The clocks' distance from UTC is that of a moment a few hours away, or of the other half of the year.
  for (const guess of [utc + 4 * 3_600_000, utc + 5 * 3_600_000]) {
    const { date, time } = readClock(guess);
    if (date === day && time === '00:00:00') return new Date(guess);
  }
  throw new UserError(`${day} has no midnight in ${TIME_ZONE}.`);
}

function readClock(ms: number): { date: string; time: string } {
  const parts = Object.fromEntries(PARTS.formatToParts(ms).map(({ type, value }) => [type, value]));
  return { date: `${parts.year}-${parts.month}-${parts.day}`, time: `${parts.hour}:${parts.minute}:${parts.second}` };
}
