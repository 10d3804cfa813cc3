import {
  countUnresolved,
  listQuarantine,
  type QuarantineRow,
  readQuarantined,
  resolveQuarantined,
} from '@stockbroker/store/operate';
import { ExchangeInDoubtError } from '@stockbroker/trade-flow';
import { formatUsd, type Trade } from '@stockbroker/trading';
import { counted, table, UserError, wholeNumber } from '../cli.ts';
import { type Call, CannotTellError, moment, noArguments, type OpsCommand, type Result } from './command.ts';
import { OPERATOR_HELP, OPERATOR_OPTIONS, readOperator } from './operator.ts';
import { type Found, outcome } from './whyStuck.ts';

const HELP = `npm run ops -- quarantine: callbacks that an operator must check. Those whose reason begins with "booked" were applied, because
the fill is real, but break a rule; the others changed nothing. These commands move no money.

  list              unresolved callbacks, oldest first; --all: also resolved ones; --limit N (100), --after ID for the next page
  show <id>         the callback as it arrived, why it was set aside, and the trade here beside what the exchange says now
  resolve <id>      records that the callback has been dealt with, and what was decided
${OPERATOR_HELP}
  --json, --data-dir, and the environment: see npm run ops -- --help

If the exchange's answer by id would settle a trade that is still executed here, npm run ops -- reconcile --fix settles it, through
the same statement as a callback.

Exit code: 0 none is unresolved (list), or the given one is resolved (show, resolve); 1 unresolved; 2 wrong usage, or no such id;
3 the database does not answer.
`;

export const quarantine: OpsCommand = {
  help: HELP,
  options: {
    ...OPERATOR_OPTIONS,
    all: { type: 'boolean', default: false },
    limit: { type: 'string', default: '100' },
    after: { type: 'string', default: '0' },
  },
  run: (call) => {
    const [verb, ...args] = call.args;
    const rest = { ...call, args };
    if (verb === 'list') return list(rest);
    if (verb === 'show') return show(rest);
    if (verb === 'resolve') return resolve(rest);
    throw new UserError('Usage: npm run ops -- quarantine list | show <id> | resolve <id> --note "..."');
  },
};

async function list({ args, values, servers }: Call): Promise<Result> {
  noArguments('quarantine list', args);
  const limit = wholeNumber('--limit', String(values.limit), { min: 1, max: 10_000 });
  const db = await servers.db();
  const page = { all: values.all === true, after: rowId(String(values.after)), limit };
  const [unresolved, rows] = await Promise.all([countUnresolved(db), listQuarantine(db, page)]);
  const lines = rows.map(({ id, receivedAt, tradeId, why, resolvedAt, resolution }) => [
    String(id),
    moment(receivedAt),
    tradeId ?? '-',
    why,
    ...(page.all ? [resolvedAt === null ? '' : `${moment(resolvedAt)}: ${resolution}`] : []),
  ]);
  const head = ['id', 'received', 'order id', 'why', ...(page.all ? ['resolved'] : [])];
  const more = rows.length === limit ? [`More, perhaps: --after ${rows.at(-1)?.id}`] : [];
  const text = [
    ...(rows.length === 0 ? [] : [table([head, ...lines], [0]), ...more, '']),
    `${counted(unresolved, 'callback')} not resolved.`,
  ];
  return { attention: unresolved > 0, text: text.join('\n'), json: { unresolved, rows } };
}

async function show({ args, servers }: Call): Promise<Result> {
  const row = await find(servers, args);
  const trade = row.tradeId === null ? null : await (await servers.store()).readTrade(row.tradeId);
  const exchange = row.tradeId === null ? 'names no order' : await askExchange(servers, row.tradeId);
  const raw = readable(row.raw);
  const found = typeof exchange === 'string' || exchange instanceof Error ? exchange : { ...exchange.outcome };
  const text = [
    `quarantined ${row.id}, received ${moment(row.receivedAt)}`,
    `why         ${row.why}`,
    `resolved    ${row.resolvedAt === null ? 'no' : `${moment(row.resolvedAt)}: ${row.resolution}`}`,
    `order       ${row.tradeId ?? '-'}`,
    `here        ${trade === null ? 'no such trade' : tradeLine(trade)}`,
    `exchange    ${typeof exchange === 'string' ? exchange : exchange instanceof Error ? exchange.message : `${outcome(exchange)}, ${exchange.type} ${exchange.quantity} ${exchange.stockTicker}`}`,
    '',
    raw.text,
  ].join('\n');
  const { raw: _bytes, ...listed } = row;
  const json = { row: listed, raw, trade, exchange: found instanceof Error ? { malformed: found.message } : found };
  return { attention: row.resolvedAt === null, text, json };
}

async function resolve({ args, values, servers, operator: who }: Call): Promise<Result> {
  const operator = readOperator({ values, operator: who });
  const { id } = await find(servers, args);
  const changed = await resolveQuarantined(await servers.db(), id, operator);
  const { resolvedAt, resolution } = await find(servers, args);
  const text = changed
    ? `Quarantined ${id} is resolved. Recorded for ${operator.operator}.`
    : `Quarantined ${id} was resolved already, ${resolvedAt === null ? '' : moment(resolvedAt)}: ${resolution}`;
  return { attention: resolvedAt === null, text, json: { id, changed, resolvedAt, resolution, operator: operator.operator } };
}

async function find(servers: Call['servers'], args: string[]): Promise<QuarantineRow & { raw: Uint8Array }> {
  const [text, ...more] = args;
  if (text === undefined || more.length > 0) throw new UserError('Give one id, as npm run ops -- quarantine list shows it.');
  const row = await readQuarantined(await servers.db(), rowId(text));
  if (row === null) throw new UserError(`There is no quarantined callback ${text}.`);
  return row;
}

function rowId(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new UserError(`An id is a whole number, not ${JSON.stringify(text)}.`);
}

async function askExchange(servers: Call['servers'], tradeId: string): Promise<Found | string> {
  try {
    return await (await servers.exchange()).findOrder(tradeId);
  } catch (error) {
    if (error instanceof ExchangeInDoubtError || error instanceof CannotTellError) return servers.explain(error) ?? 'not known';
    throw error;
  }
}

/** JSON is laid out; anything else is shown as hexadecimal bytes. */
function readable(raw: Uint8Array): { format: 'json' | 'hex'; text: string } {
  try {
    return { format: 'json', text: JSON.stringify(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw)), null, 2) };
  } catch {
    return {
      format: 'hex',
      text: Buffer.from(raw)
        .toString('hex')
        .replaceAll(/(.{2})(?!$)/g, '$1 ')
        .replaceAll(/(.{95}) /g, '$1\n'),
    };
  }
}

function tradeLine({ status, type, quantity, stockTicker, limitPrice, price, executionId, reason }: Trade): string {
  const details = [
    limitPrice === null ? '' : `limit ${formatUsd(limitPrice)}`,
    price === null ? '' : `at ${formatUsd(price)} as ${executionId}`,
    reason ?? '',
  ].filter((each) => each !== '');
  return [`${status}, ${type} ${quantity} ${stockTicker}`, ...details].join(', ');
}
