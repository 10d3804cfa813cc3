import { grouped, table } from '../cli.ts';
import { digits, figureOf, spread } from './figures.ts';
import type { Result } from './measure.ts';
import { reportWork } from './profile/reportWork.ts';

/** What is measured once: titles, and tables of each. */
export function reportMore({ web, work, large, isolation, bell }: Result): [string, string][] {
  return [
    ...(web === undefined ? [] : [webRows(web)]),
    ...(work === undefined ? [] : reportWork(work)),
    ...(large === undefined ? [] : [sizeRows(large), pageRows(large)]),
    ...(isolation === undefined ? [] : [isolationRows(isolation)]),
    ...(bell === undefined ? [] : [bellRows(bell)]),
  ];
}

function webRows({ gatewayGrpc, gatewayWeb, connectWeb }: NonNullable<Result['web']>): [string, string] {
  const row = (name: string, { perSecond, serverCpuMs }: typeof gatewayWeb) => [name, digits(perSecond), digits(serverCpuMs)];
  const rows = [
    ['', 'a second', 'ms of processor'],
    row('gRPC, the gateway’s server', gatewayGrpc),
    row('gRPC-Web, the gateway’s server', gatewayWeb),
    row('gRPC-Web, Connect’s server for Node', connectWeb),
  ];
  return ['Unary calls without work, once', table(rows, [1, 2])];
}

function sizeRows({ size: { trades, heap, indexes, all } }: NonNullable<Result['large']>): [string, string] {
  const rows = [
    ['row', digits(heap)],
    ...Object.entries(indexes).map(([name, bytes]) => [name, digits(bytes)]),
    ['all', digits(all)],
  ];
  return [`Bytes of a trade on the disk, among ${grouped(Math.round(trades))}`, table(rows, [1])];
}

function pageRows({ explained }: NonNullable<Result['large']>): [string, string] {
  const rows = explained.map(({ statement, rows: count, pages, readWhole }) => [
    statement,
    String(count),
    grouped(pages),
    digits(pages / count),
    readWhole.join(', ') || 'nothing',
  ]);
  return [
    'What statements touch there, by EXPLAIN (plans are in the JSON)',
    table([['', 'rows', 'pages', 'a row', 'read whole'], ...rows], [1, 2, 3]),
  ];
}

function isolationRows({ trades, outcomes }: NonNullable<Result['isolation']>): [string, string] {
  const rows = Object.entries(outcomes).map(([name, rounds]) => [
    name,
    spread(figureOf(rounds.map(({ perSecond }) => perSecond))),
    ...(['p50', 'p99'] as const).map((which) => spread(figureOf(rounds.map(({ ms }) => ms?.[which])))),
  ]);
  return [
    `What others notice of one, who has ${grouped(trades)} trades where there are many`,
    table([['', 'a second', 'filled p50', 'p99'], ...rows], [1, 2, 3]),
  ];
}

function bellRows({
  trades,
  customers,
  drainSeconds,
  perSecond,
  waits,
  highestMemory,
  afterEmptyNight,
}: NonNullable<Result['bell']>): [string, string] {
  const { first, last } = waits;
  const rows = [
    ['until the last was filled', `${digits(drainSeconds)} s, ${digits(perSecond)} a second`],
    ['a customer’s first fill', `p50 ${first.p50} s, p99 ${first.p99} s, the last ${first.worst} s`],
    ['a customer’s last fill', `p50 ${last.p50} s, p99 ${last.p99} s, the last ${last.worst} s`],
    [
      'after a night in which its tables were analyzed empty',
      `${digits(afterEmptyNight.drainSeconds)} s, ${digits(afterEmptyNight.timesUsual)} times as long`,
    ],
    ...Object.entries(highestMemory).map(([name, mb]) => [`memory, ${name}`, `${digits(mb)} MB at most`]),
  ];
  return [`The opening bell: ${grouped(trades)} trades of ${grouped(customers)} customers`, table(rows)];
}
