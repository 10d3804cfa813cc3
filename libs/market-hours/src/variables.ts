import { oneOf, type Variable } from '@stockbroker/runtime';
import { Temporal } from 'temporal-polyfill';

const closings: Variable<string[]> = {
  doc: 'Dates on which the exchange stays closed in addition to its holidays, such as days of mourning: 2025-01-09.',
  values: 'dates, separated by commas',
  default: '',
  parse: (text) => {
    const dates = text.split(',').filter((date) => date.trim() !== '');
    return dates.map((date) => parseDate(date.trim()));
  },
};

export const marketHoursVariables = {
  MARKET_HOURS: oneOf(
    'When trades are executed: `nyse` in the regular sessions of the New York Stock Exchange, `always` at any time (for development), `closed` never. At other times trades are rejected MARKET_CLOSED or wait for the open.',
    ['always', 'nyse', 'closed'],
    { default: 'always' },
  ),
  MARKET_CLOSINGS: closings,
};

function parseDate(text: string): string {
  try {
    if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return Temporal.PlainDate.from(text).toString();
  } catch {
    // Told below: a day that the calendar does not have.
  }
  throw new Error('must be dates like 2025-01-09, separated by commas');
}
