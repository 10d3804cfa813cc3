import { parseWebhookSecret, signWebhook } from '@stockbroker/rpc';
import { type OrderReport, OrderState, RejectReason, ReportOrdersRequest, Side } from '@stockbroker/rpc/exchange';
import { type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { madeUpFill, unusedTradeId } from '../support/reports.ts';
import { UnfinishedBody } from '../support/unfinishedBody.ts';
import { type Arena, openArena } from './arena.ts';
import { openRaw } from './http2Frames.ts';
import { HTTP_ATTACKS, statusOf } from './httpAttacks.ts';

/** Patience is short here, and few callbacks are worked on at once, so that both can be reached. */
const PATIENCE_MS = 3_000;
const IN_FLIGHT = 8;
let arena: Arena;
/** Open at the exchange while strangers lie about it, and one that is filled. */
let open: Trade;
let filled: Trade;
beforeAll(async () => {
  arena = await openArena({
    env: {
      callback: {
        CALLBACK_MAX_BYTES: '200000',
        CALLBACK_MAX_IN_FLIGHT: String(IN_FLIGHT),
        CALLBACK_REQUEST_TIMEOUT_MS: String(PATIENCE_MS),
      },
    },
  });
  filled = await arena.alice.buys(3, 'AAPL');
  await arena.broker.exchange.fills(filled, { price: usd('10.00') });
  filled = await arena.alice.ended(filled);
  open = await arena.alice.buys(10, 'AAPL');
  await arena.broker.exchange.receives(open);
});
afterAll(() => arena.close({}));

/** Money, shares and the open trade are as before, and so many callbacks were kept for an operator. */
async function expectNothingChanged(quarantined: number): Promise<void> {
  expect(await arena.alice.account()).toMatchObject({
    cash: '999970.0000',
    held: '105.0000',
    positions: [{ stockTicker: 'AAPL', quantity: 3n }],
  });
  expect((await arena.alice.trade(open)).status).toBe(TradeStatus.TRADE_STATUS_EXECUTED);
  expect(await arena.broker.db.callbackQuarantine.count()).toBe(quarantined);
  await arena.broker.db.callbackQuarantine.deleteMany({});
}

const url = () => `http://${arena.callbackHttp.address}${arena.path}`;
const post = (body: string | Buffer, headers: Record<string, string>) => fetch(url(), { method: 'POST', body, headers });

test.each(HTTP_ATTACKS.map((attack) => [attack.name, attack.status, attack] as const))(
  'HTTP: %s gets %i',
  async (_name, status, attack) => {
    expect(await statusOf(arena.callbackHttp.port, attack.text(arena.path))).toBe(status);
    await arena.callbackHttp.good();
    await expectNothingChanged(0);
  },
);

test('HTTP: a body above the limit has its answer also while it is still being sent', async () => {
  // More than the buffers between the two hold.
  const body = new UnfinishedBody(16_000_000);
  onTestFinished(() => body.giveUp());
  const response = await fetch(url(), { method: 'POST', body: body.stream, duplex: 'half' } as RequestInit);
  expect([response.status, await response.json()]).toEqual([413, { error: 'a callback has at most 200000 bytes' }]);
});

const head = (length: number) => `POST ${arena.path} HTTP/1.1\r\nhost: b\r\ncontent-length: ${length}\r\n`;
const SLOW: [string, () => string, string][] = [
  ['says nothing', () => '', ''],
  ['stops in its headers', () => head(2), 'HTTP/1.1 408'],
  ['stops in its body', () => `${head(100)}\r\n{"reports":`, 'HTTP/1.1 408'],
  [
    'stops in a chunk',
    () => `POST ${arena.path} HTTP/1.1\r\nhost: b\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{`,
    'HTTP/1.1 408',
  ],
];

test.each(SLOW)(
  'slow: a connection that %s is ended after a while, and others are served meanwhile',
  async (_what, text, answer) => {
    const raws = await Promise.all(Array.from({ length: 3 * IN_FLIGHT }, () => openRaw(arena.callbackHttp.port)));
    for (const raw of raws) raw.write(Buffer.from(text()));
    const ended = Promise.all(raws.map((raw) => raw.ended));
    await eventually(
      () => post('{"reports": []}', arena.sign('{"reports": []}')),
      ({ status }) => status === 200,
    );
    await ended;
    for (const raw of raws) expect(raw.received().toString().slice(0, answer.length)).toBe(answer);
    await expectNothingChanged(0);
  },
);

test('slow: bodies that drip do not keep out one that is there', async () => {
  const raws = await Promise.all(Array.from({ length: IN_FLIGHT }, () => openRaw(arena.callbackHttp.port)));
  for (const raw of raws) raw.write(Buffer.from(`${head(1_000)}\r\n{`));
  const drip = setInterval(() => {
    for (const raw of raws) raw.write(Buffer.from(' '));
  }, 50);
  onTestFinished(() => {
    clearInterval(drip);
    for (const raw of raws) raw.destroy();
  });
  await eventually(
    () => post('{"reports": []}', arena.sign('{"reports": []}')),
    ({ status }) => status === 200,
  );
  await expectNothingChanged(0);
});

const reportOf = (trade: Trade): OrderReport => ({
  ...madeUpFill(trade.orderId),
  quantity: trade.quantity,
  price: trade.price,
  executionId: trade.executionId,
  executedAt: trade.executedAt,
});
const jsonOf = (report: OrderReport) => JSON.stringify(ReportOrdersRequest.toJSON({ reports: [report] }));

test('replay: the callback of a filled trade again, with the same signature and with a new one, is a success that changes nothing', async () => {
  const body = jsonOf(reportOf(filled));
  const headers = arena.sign(body);
  for (const sent of [headers, headers, arena.sign(body)]) expect((await post(body, sent)).status).toBe(200);
  await expectNothingChanged(0);
});

test('replay: the execution of a filled trade, reported for 500 others in one callback, is a success that fills none', async () => {
  const repeats = Array.from({ length: 500 }, () => ({ ...reportOf(filled), clientOrderId: unusedTradeId() }));
  const body = JSON.stringify(ReportOrdersRequest.toJSON({ reports: repeats }));
  expect((await post(body, arena.sign(body))).status).toBe(200);
  await expectNothingChanged(500);
});

const REDATED = [
  '',
  ' ',
  'NaN',
  '-1',
  '0',
  '1e9',
  '0x65',
  '1.5',
  '99999999999999999999',
  '9999999999999999',
  '１７',
  'now',
  '1,2',
];
test.each([...REDATED, 1, -1, 100, -600, 600])(
  'replay: a callback re-dated to %j, or by so many seconds, gets 401 and changes nothing',
  async (date) => {
    const body = jsonOf(madeUpFill(open.orderId));
    const headers = arena.sign(body, Date.now() - 30_000);
    const timestamp =
      typeof date === 'string' ? Buffer.from(date).toString('latin1') : String(Number(headers['webhook-timestamp']) + date);
    expect((await post(body, { ...headers, 'webhook-timestamp': timestamp })).status).toBe(401);
    await expectNothingChanged(0);
  },
);

test.each<[string, (signature: string) => string]>([
  ['cut short', (signature) => signature.slice(0, -1)],
  ['made longer', (signature) => `${signature}=`],
  ['without its version', (signature) => signature.slice(3)],
  ['of another version', (signature) => signature.replace('v1,', 'v1a,')],
  ['in other letters', (signature) => signature.toLowerCase()],
  ['a comma', () => ','],
  ['2,000 spaces', () => `x${' '.repeat(2_000)}x`],
  ['of 100 others', () => Array.from({ length: 100 }, (_, i) => `v1,${Buffer.alloc(32, i).toString('base64')}`).join(' ')],
])('signature: one that is %s gets 401 and changes nothing', async (_what, change) => {
  const body = jsonOf(madeUpFill(open.orderId));
  const headers = arena.sign(body);
  expect((await post(body, { ...headers, 'webhook-signature': change(headers['webhook-signature'] ?? '') })).status).toBe(401);
  await expectNothingChanged(0);
});

test('signature: one of another secret gets 401; among 100 wrong ones the right one is found', async () => {
  const body = '{"reports": []}';
  const other = signWebhook(parseWebhookSecret(`whsec_${Buffer.alloc(32, 9).toString('base64')}`), Buffer.from(body), Date.now());
  expect((await post(body, { ...other })).status).toBe(401);
  const headers = arena.sign(body);
  const wrong = Array.from({ length: 100 }, (_, i) => `v1,${Buffer.alloc(32, i).toString('base64')}`).join(' ');
  expect((await post(body, { ...headers, 'webhook-signature': `${wrong} ${headers['webhook-signature']}` })).status).toBe(200);
  await expectNothingChanged(0);
});

/** Signed, and yet no report: kept as it came, and a success, because asking for it again would bring the same. */
const fill = () => ReportOrdersRequest.toJSON({ reports: [madeUpFill(open.orderId)] }) as { reports: Record<string, unknown>[] };
const withField = (field: string, json: string) => JSON.stringify(fill()).replace(/\}\]\}$/, `,"${field}":${json}}]}`);
test.each<[string, () => string | Buffer]>([
  ['arrays 90,000 deep', () => '['.repeat(90_000) + ']'.repeat(90_000)],
  ['objects 30,000 deep', () => `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`],
  ['reports that are arrays 20,000 deep', () => `{"reports":[${'['.repeat(20_000)}${']'.repeat(20_000)}]}`],
  ['1,001 reports', () => `{"reports":[${Array(1_001).fill('{}').join()}]}`],
  ['no UTF-8', () => Buffer.from('7b227265706f727473223a5bc328', 'hex')],
  ['a byte order mark and half a surrogate pair', () => '\ufeff{"reports":[{"ticker":"\\ud800"}]}'],
  ['a quantity beyond all numbers', () => withField('quantity', '1e999')],
  ['a negative quantity', () => withField('quantity', '-10')],
  ['half a share', () => withField('quantity', '10.5')],
  ['a quantity of 2^31', () => withField('quantity', '2147483648')],
  ['a quantity that is text', () => withField('quantity', '"ten"')],
  ['an id that is an object', () => withField('clientOrderId', '{"toString":1}')],
  ['an id of arrays 20,000 deep', () => withField('clientOrderId', '['.repeat(20_000) + ']'.repeat(20_000))],
  ['a ticker with a zero byte', () => withField('ticker', '"AA\\u0000PL"')],
  ['a ticker that is half a surrogate pair', () => withField('ticker', '"\\udfff"')],
  ['a time before all calendars', () => withField('executedAt', '"-271821-04-20T00:00:00Z"')],
  ['a time after all calendars', () => withField('executedAt', '"+275760-09-13T00:00:00Z"')],
  ['a time that is none', () => withField('executedAt', '"yesterday"')],
  ['a price of 10^30', () => withField('price', `"1${'0'.repeat(30)}"`)],
  [
    'a price that overflows with its quantity',
    () => withField('price', '"9999999999999.9999"').replace('"quantity":10', '"quantity":1000000'),
  ],
  ['another prototype', () => withField('__proto__', '{"ticker":"AAPL"}').replace('"quantity":10', '"quantity":11')],
  ['compressed JSON', () => Buffer.from('1f8b0800000000000003', 'hex')],
])('signed nonsense: %s is kept and gets a success, and changes nothing', async (_what, body) => {
  const sent = body();
  expect((await post(sent, arena.sign(sent))).status).toBe(200);
  await eventually(
    () => arena.broker.db.callbackQuarantine.count(),
    (count) => count >= 1,
  );
  const kept = await arena.broker.db.callbackQuarantine.findMany({ select: { why: true } });
  for (const { why } of kept) expect(why).not.toMatch(/SELECT|\bat \/|\.ts\b|Error/);
  await expectNothingChanged(kept.length);
});

test('signed nonsense: whatever JSON a report has in its fields, it is a success, and nothing is settled', async () => {
  const names = Object.keys(fill().reports[0] ?? {});
  const hard = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(OrderState.ORDER_STATE_FILLED, RejectReason.REJECT_REASON_HALTED, Side.SIDE_SELL),
    fc.string({ unit: 'binary' }),
    fc.double(),
  );
  const changes = fc.dictionary(fc.constantFrom(...names.filter((name) => name !== 'state')), hard, { minKeys: 1, maxKeys: 4 });
  await fc.assert(
    fc.asyncProperty(changes, async (changed) => {
      // At least one field is not what the order was.
      const body = JSON.stringify({ reports: [{ ...fill().reports[0], quantity: 11, ...changed, side: 'SIDE_SELL' }] });
      expect((await post(body, arena.sign(body))).status).toBe(200);
    }),
    { numRuns: 150 },
  );
  await expectNothingChanged(await arena.broker.db.callbackQuarantine.count());
});
