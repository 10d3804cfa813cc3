import { getHolidays } from 'nyse-holidays';
import { Temporal } from 'temporal-polyfill';

/** The regular session of one day: from the opening until before the close, milliseconds since 1970. */
export interface Session {
  opensMs: number;
  closesMs: number;
}

const NEW_YORK = 'America/New_York';
const OPENS = new Temporal.PlainTime(9, 30);
const CLOSES = new Temporal.PlainTime(16);
const CLOSES_EARLY = new Temporal.PlainTime(13);
const FRIDAY = 5;

/** The date in New York. */
export function nyseDate(nowMs: number): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(NEW_YORK).toPlainDate();
}

/**
 * The regular session of the New York Stock Exchange on a date; null on weekends, holidays and `closings`, which are dates like
 * 2025-01-09: days of mourning and whatever else the exchange announces beside its rules.
 *
 * 9:30 a.m. to 4:00 p.m. Eastern Time: NYSE Rule 7.34. Holidays: NYSE Rule 7.2; one on a Saturday is observed on the Friday before,
 * except at the end of a month (New Year's Day 2022, 2028), one on a Sunday on the Monday after.
 */
export function nyseSession(date: Temporal.PlainDate, closings: ReadonlySet<string>): Session | null {
  if (date.dayOfWeek > FRIDAY || isHoliday(date) || closings.has(date.toString())) return null;
  const at = (plainTime: Temporal.PlainTime) => date.toZonedDateTime({ timeZone: NEW_YORK, plainTime }).epochMilliseconds;
  return { opensMs: at(OPENS), closesMs: at(closesEarly(date) ? CLOSES_EARLY : CLOSES) };
}

/**
 * Days with a session that ends at 1:00 p.m.: the day before Independence Day, the day after Thanksgiving and Christmas Eve. Where the
 * holiday is observed on the day before, or the day before is on a weekend, there is no other one instead.
 *
 * Source: "NYSE Group Announces 2026, 2027 and 2028 Holiday and Early Closings Calendar" of 23 December 2025, those of the years
 * before, and nyse.com/trade/hours-calendars. No library that is kept knows these days.
 */
function closesEarly({ month, day, dayOfWeek }: Temporal.PlainDate): boolean {
  if (month === 7) return day === 3;
  if (month === 12) return day === 24;
  // Thanksgiving is the fourth Thursday: the 22nd to the 28th.
  return month === 11 && dayOfWeek === FRIDAY && day >= 23 && day <= 29;
}

function isHoliday(date: Temporal.PlainDate): boolean {
  // Its dates are calendar days: `date` of each is midnight where this process runs, only the text is good for us.
  return getHolidays(date.year).some(({ dateString }) => dateString === date.toString());
}
