import { checkAccounts, checkOpenTrades, type Finding } from '@stockbroker/store/operate';
import { formatUsd } from '@stockbroker/trading';
import { counted, grouped, table, wholeNumber } from '../cli.ts';
import { type Call, noArguments, type OpsCommand, type Result } from './command.ts';

const HELP = `npm run ops -- books: proves the books of every customer on the live database, while trading continues.

  cash = openings and deposits (account_entries) plus and minus the fills; cash held = the holds of executed buys;
  shares likewise; nothing is below zero or below what is held, unless the account's buys are blocked;
  each open trade has a row in open_trades and no other trade has one; each final trade is complete.

One statement checks a page of customers at one moment, so the result is exact, without locks and in bounded memory.

  --page N        customers in one statement; default 500
  --limit N       how many findings to list; all are counted; default 100
  --json, --data-dir, and the environment: see npm run ops -- --help

Exit code: 0 the books are exact, 1 something is wrong, 2 wrong usage, 3 the database does not answer.
`;

const TELL_EVERY_MS = 2_000;

export const books: OpsCommand = {
  help: HELP,
  options: { page: { type: 'string', default: '500' }, limit: { type: 'string', default: '100' } },
  run: proveBooks,
};

async function proveBooks({ args, values, servers, say }: Call): Promise<Result> {
  noArguments('books', args);
  const pageSize = wholeNumber('--page', String(values.page), { min: 1, max: 10_000 });
  const limit = wholeNumber('--limit', String(values.limit), { min: 1, max: 100_000 });
  const db = await servers.db();
  const findings: Finding[] = [];
  const totals = { customers: 0, openTrades: 0, findings: 0 };
  const note = (found: Finding[]) => {
    totals.findings += found.length;
    findings.push(...found.slice(0, Math.max(0, limit - findings.length)));
  };
  let toldAt = performance.now();
  for await (const page of checkAccounts(db, pageSize)) {
    totals.customers += page.customers;
    note(page.findings);
    if (performance.now() - toldAt < TELL_EVERY_MS) continue;
    toldAt = performance.now();
    say(`${grouped(totals.customers)} customers proven, ${counted(totals.findings, 'finding')}`);
  }
  for await (const page of checkOpenTrades(db)) {
    totals.openTrades += page.rows;
    note(page.findings);
  }
  const proven = `${counted(totals.customers, 'customer')} and ${counted(totals.openTrades, 'open trade')}`;
  const text =
    totals.findings === 0
      ? `The books are exact: ${proven}.`
      : [
          table([['customer', 'what is wrong', 'about', 'is', 'should be'], ...findings.map(row)]),
          '',
          `${counted(totals.findings, 'finding')} in ${proven}${totals.findings > findings.length ? `; the first ${findings.length} are above` : ''}.`,
        ].join('\n');
  return { attention: totals.findings > 0, text, json: { ...totals, listed: findings } };
}

const WORDS: Record<Finding['what'], string> = {
  cash: 'cash is not entries and fills',
  held: 'cash held is not the holds of open buys',
  negative: 'below zero, or below what is held',
  shares: 'shares are not entries and fills',
  'shares-held': 'shares held are not the open sells',
  'not-listed': 'an open trade is not in open_trades',
  incomplete: 'a final trade lacks something',
  execution: 'a fill whose execution is not entered, or is another trade’s',
  stray: 'a row in open_trades of no open trade',
};

function row({ customerId, what, subject, actual, expected }: Finding): string[] {
  const isCash = what === 'cash' || what === 'held' || (what === 'negative' && subject === null);
  const shown = (figure: string) => (isCash ? formatUsd(BigInt(figure)) : figure);
  return [
    customerId,
    WORDS[what],
    subject ?? 'cash',
    shown(actual),
    what === 'negative' ? `at least ${shown(expected)}` : shown(expected),
  ];
}
