import { describe, expect, test } from 'vitest';
import { marketHours } from '../src/marketHours.ts';
import { nyseStateAt } from '../src/nyseStateAt.ts';
import { marketHoursVariables } from '../src/variables.ts';

const at = (text: string) => Date.parse(text);
const DAY_MS = 24 * 3_600_000;
/** Eleven or twelve in New York: within every session. */
const middays = (year: number) => {
  const days: number[] = [];
  for (let ms = Date.UTC(year, 0, 1, 16); ms < Date.UTC(year + 1, 0, 1); ms += DAY_MS) days.push(ms);
  return days;
};
const dateOf = (ms: number) => new Date(ms).toISOString().slice(5, 10);
const isWeekend = (ms: number) => [0, 6].includes(new Date(ms).getUTCDay());

/**
 * Weekdays without a session, and those that end at 1:00 p.m., as the exchange has announced them: for 2018 and 2019 on its page of hours
 * and calendars, and from 2020 on in "NYSE Group Announces … Holiday and Early Closings Calendar" of each December (of 27 December 2021
 * for 2022 to 2024, which has Juneteenth; of November 2024 for 2025 to 2027). Two days of mourning, 2018-12-05 and 2025-01-09, were
 * announced days before and are no part of a calendar: MARKET_CLOSINGS is for those.
 */
const YEARS: [number, string, string][] = [
  [2018, '01-01 01-15 02-19 03-30 05-28 07-04 09-03 11-22 12-25', '07-03 11-23 12-24'],
  [2019, '01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25', '07-03 11-29 12-24'],
  [2020, '01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25', '11-27 12-24'],
  [2021, '01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24', '11-26'],
  [2022, '01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26', '11-25'],
  [2023, '01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25', '07-03 11-24'],
  [2024, '01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25', '07-03 11-29 12-24'],
  [2025, '01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25', '07-03 11-28 12-24'],
  [2026, '01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25', '11-27 12-24'],
  [2027, '01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24', '11-26'],
  [2028, '01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25', '07-03 11-24'],
];

describe.each(YEARS)('NYSE %i', (year, holidays, earlyCloses) => {
  test('is closed on weekends and on the announced holidays, and on no other day', () => {
    const closed = middays(year).filter((ms) => !nyseStateAt(ms).isOpen && !isWeekend(ms));
    expect(closed.map(dateOf).join(' ')).toBe(holidays);
    expect(middays(year).filter((ms) => isWeekend(ms) && nyseStateAt(ms).isOpen)).toEqual([]);
  });

  test('closes early on the announced days, and on no other; every session opens at 9:30', () => {
    const sessions = middays(year)
      .map((ms) => nyseStateAt(ms))
      .filter((state) => state.isOpen);
    const inNewYork = (ms: number) =>
      new Date(ms).toLocaleString('sv', { timeZone: 'America/New_York', dateStyle: 'short', timeStyle: 'short' });
    const early = sessions.filter(({ untilMs }) => !inNewYork(untilMs).endsWith(' 16:00'));
    expect(early.map(({ untilMs }) => inNewYork(untilMs))).toEqual(earlyCloses.split(' ').map((date) => `${year}-${date} 13:00`));
    expect(sessions.filter(({ sinceMs }) => !inNewYork(sinceMs).endsWith(' 09:30'))).toEqual([]);
  });
});

/** Instants with what is true from them on, to the millisecond before. */
test.each([
  ['the opening of a day in winter', '2026-01-06T14:30:00Z', true, '2026-01-06T21:00:00Z'],
  ['the close of a day in winter', '2026-01-06T21:00:00Z', false, '2026-01-07T14:30:00Z'],
  ['the opening of a day in summer', '2026-07-07T13:30:00Z', true, '2026-07-07T20:00:00Z'],
  ['the last close before summer time', '2026-03-06T21:00:00Z', false, '2026-03-09T13:30:00Z'],
  ['the first opening in summer time', '2026-03-09T13:30:00Z', true, '2026-03-09T20:00:00Z'],
  ['the last close before winter time', '2026-10-30T20:00:00Z', false, '2026-11-02T14:30:00Z'],
  ['the first opening in winter time', '2026-11-02T14:30:00Z', true, '2026-11-02T21:00:00Z'],
  ['the last close before summer time, 2027', '2027-03-12T21:00:00Z', false, '2027-03-15T13:30:00Z'],
  ['the last close before winter time, 2027', '2027-11-05T20:00:00Z', false, '2027-11-08T14:30:00Z'],
  ['the close before Thanksgiving', '2026-11-25T21:00:00Z', false, '2026-11-27T14:30:00Z'],
  ['the opening of the day after Thanksgiving', '2026-11-27T14:30:00Z', true, '2026-11-27T18:00:00Z'],
  ['its early close', '2026-11-27T18:00:00Z', false, '2026-11-30T14:30:00Z'],
  ['the early close of Christmas Eve', '2026-12-24T18:00:00Z', false, '2026-12-28T14:30:00Z'],
  ['the early close of July 3, in summer time', '2028-07-03T17:00:00Z', false, '2028-07-05T13:30:00Z'],
  ['the close before Good Friday', '2026-04-02T20:00:00Z', false, '2026-04-06T13:30:00Z'],
  ['the close before Juneteenth, observed on a Friday', '2027-06-17T20:00:00Z', false, '2027-06-21T13:30:00Z'],
  ['the close before Independence Day, observed on a Monday', '2027-07-02T20:00:00Z', false, '2027-07-06T13:30:00Z'],
  ['the close before New Year’s Day on a Saturday', '2027-12-31T21:00:00Z', false, '2028-01-03T14:30:00Z'],
  ['the close before New Year’s Day observed on a Monday', '2022-12-30T21:00:00Z', false, '2023-01-03T14:30:00Z'],
])('%s', (_what, from, isOpen, until) => {
  expect(nyseStateAt(at(from))).toMatchObject({ isOpen, untilMs: at(until) });
  expect(nyseStateAt(at(until) - 1)).toMatchObject({ isOpen, untilMs: at(until) });
  expect(nyseStateAt(at(from) - 1)).toMatchObject({ isOpen: !isOpen, untilMs: at(from) });
});

test('the day is that of New York: on the evening of a session, and in the hours that daylight saving skips or repeats', () => {
  for (const [instant, opens] of [
    ['2026-01-07T03:00:00Z', '2026-01-07T14:30:00Z'],
    ['2026-01-07T05:00:00Z', '2026-01-07T14:30:00Z'],
    ['2026-03-08T06:59:59Z', '2026-03-09T13:30:00Z'],
    ['2026-03-08T07:00:00Z', '2026-03-09T13:30:00Z'],
    ['2026-11-01T05:30:00Z', '2026-11-02T14:30:00Z'],
    ['2026-11-01T06:30:00Z', '2026-11-02T14:30:00Z'],
  ] as const)
    expect(nyseStateAt(at(instant))).toEqual({ isOpen: false, untilMs: at(opens) });
});

test('a closing that the exchange has announced beside its holidays is one', () => {
  const { at: stateAt } = marketHours({ kind: 'nyse', closings: ['2025-01-09'] });
  expect(stateAt(at('2025-01-09T17:00:00Z'))).toEqual({ isOpen: false, untilMs: at('2025-01-10T14:30:00Z') });
  expect(stateAt(at('2025-01-08T21:00:00Z'))).toEqual({ isOpen: false, untilMs: at('2025-01-10T14:30:00Z') });
  expect(nyseStateAt(at('2025-01-09T17:00:00Z')).isOpen).toBe(true);
});

test('what is remembered is the same as what is looked up, whichever way the clock goes', () => {
  const hours = marketHours({ kind: 'nyse', closings: [] });
  let ms = at('2026-11-20T00:00:00Z');
  for (let i = 0; i < 400; i += 1) {
    expect(hours.at(ms)).toEqual(nyseStateAt(ms));
    ms += (i % 3 === 2 ? -1 : 1) * (i % 40) * 1_800_000;
  }
});

test('always and closed have no end', () => {
  expect(marketHours({ kind: 'always', closings: [] }).at(0)).toMatchObject({ isOpen: true, untilMs: Infinity });
  expect(marketHours({ kind: 'closed', closings: [] }).at(0)).toEqual({ isOpen: false, untilMs: Infinity });
});

test('MARKET_CLOSINGS takes dates, and nothing else', () => {
  const { parse } = marketHoursVariables.MARKET_CLOSINGS;
  expect([parse(''), parse('2025-01-09, 2028-02-29')]).toEqual([[], ['2025-01-09', '2028-02-29']]);
  for (const wrong of ['2025-1-9', '2027-02-29', 'tomorrow', '2025-01-09T13:00'])
    expect(() => parse(wrong)).toThrow('must be dates like 2025-01-09');
});
