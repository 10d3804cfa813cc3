import { grouped, table } from '../../cli.ts';
import { digits } from '../figures.ts';
import type { ProfiledWork } from '../measure.ts';
import type { AppWork } from './profile.ts';

/** Modules that are told; the rest is one row. */
const TOLD = 24;

/** Titles, and a table of each. */
export function reportWork({ apps, database, trades, concurrency }: ProfiledWork): [string, string][] {
  const where = `${grouped(concurrency)} open, by the profile of ${grouped(trades)} trades`;
  const { statements, waits } = database;
  const head = ['', 'of them a trade', 'rows', 'ms', 'ms a trade', 'bytes of log a trade'];
  const row = ({ name, calls, rows, seconds, walBytes }: (typeof statements)[0]) => [
    name,
    ...[calls / trades, rows / calls, (seconds * 1_000) / calls, (seconds * 1_000) / trades, walBytes / trades].map(digits),
  ];
  const looks = Object.values(waits).reduce((sum, count) => sum + count, 0);
  const waited = Object.entries(waits).sort(([, a], [, b]) => b - a);
  return [
    [`Where processors work, ms a thousand trades, ${where}`, byModule(apps, ({ processor }) => processor, 1_000_000 / trades)],
    [`What is allocated, bytes a trade, ${where}`, byModule(apps, ({ allocated }) => allocated, 1 / trades)],
    [`Statements, as PostgreSQL counts them, ${where}`, table([head, ...statements.map(row)], range(1, head.length - 1))],
    [
      `What active statements were at, ${where}`,
      table(
        waited.map(([wait, count]) => [wait, `${((count * 100) / looks).toFixed(1)} %`]),
        [1],
      ),
    ],
  ];
}

/** The modules with the most of all processes first. */
function byModule(apps: readonly AppWork[], of: (work: AppWork) => Record<string, number>, unit: number): string {
  const modules = [...new Set(apps.flatMap((app) => Object.keys(of(app))))];
  const amounts = (module: string) => apps.map((app) => (of(app)[module] ?? 0) * unit);
  const rows = modules
    .map((module) => ({ name: module, amounts: amounts(module) }))
    .sort((a, b) => sum(b.amounts) - sum(a.amounts));
  const rest = rows.slice(TOLD);
  const others = apps.map((_, i) => sum(rest.map((row) => row.amounts[i] ?? 0)));
  const all = apps.map((_, i) => sum(rows.map((row) => row.amounts[i] ?? 0)));
  const told = [...rows.slice(0, TOLD), { name: `${rest.length} others`, amounts: others }, { name: 'all', amounts: all }];
  const cells = told.map((row) => [row.name, ...row.amounts.map(digits), digits(sum(row.amounts))]);
  return table([['', ...apps.map(({ app }) => app), 'all'], ...cells], range(1, apps.length + 1));
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
