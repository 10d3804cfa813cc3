import { expect, test } from 'vitest';
import {
  doubtsAbout,
  type OrderReport,
  placedTrade,
  REPORT_RULES,
  type ReportRule,
  readReport,
  type Trade,
  parseUsd as usd,
  type WordedReport,
  whySetAside,
} from '../src/index.ts';

const ID = '01930000-0000-7000-8000-000000000001';
const SENT = new Date('2026-11-27T15:00:00Z');
const NOW = SENT.getTime() + 60_000;

const worded = (change: Partial<WordedReport> = {}): WordedReport => ({
  orderId: ID,
  stockTicker: 'AAPL',
  type: 'buy',
  attempt: 0,
  quantity: 10,
  state: 'filled',
  price: '10.0000',
  executionId: 'e-1',
  executedAt: new Date(SENT.getTime() + 50),
  refusal: undefined,
  ...change,
});

const executed = (change: Partial<Trade> = {}): Trade => ({
  ...placedTrade(
    {
      id: ID,
      customerId: ID,
      clientOrderId: 'c',
      partition: 1,
      stockTicker: 'AAPL',
      type: 'buy',
      quantity: 10,
      queueForOpen: false,
    },
    { seq: 1n, createdAt: SENT, placedRevision: 1 },
  ),
  status: 'executed',
  limitPrice: usd('10.50'),
  hold: usd('105.00'),
  submittedAt: SENT,
  ...change,
});

const said = (change: Partial<WordedReport> = {}): OrderReport => {
  const report = readReport(worded(change));
  if (report === 'open' || 'rule' in report) throw new Error('not a report');
  return report;
};

const REFUSAL = { code: 'HALTED', stockTicker: 'AAPL' } as const;
const REJECTED = { state: 'rejected', price: '', executionId: '', refusal: REFUSAL } as const;

const UNREADABLE: [ReportRule, Partial<WordedReport>][] = [
  ['order-id', { orderId: '' }],
  ['order-id', { orderId: 'x' }],
  ['side', { type: undefined }],
  ['attempt', { attempt: -1 }],
  ['attempt', { attempt: -1, state: 'open' }],
  ['state', { state: undefined }],
  ['executed-at', { executedAt: undefined }],
  ['executed-at', { executedAt: new Date(Number.NaN) }],
  ['executed-at', { executedAt: new Date(8_640_000_000_000_000) }],
  ['executed-at', { executedAt: new Date(-8_640_000_000_000_000) }],
  ['execution-id', { executionId: '' }],
  ['execution-id', { executionId: 'x'.repeat(65) }],
  ['execution-id', { executionId: 'x\0' }],
  ['execution-id', { executionId: 'x\ud800' }],
  ...['', '0', '0.0000', '-1', '1e9', '0x10', '1.00001', 'NaN', ' 1', '12345678901234', '1000000000'].map(
    (price): [ReportRule, Partial<WordedReport>] => ['price', { price }],
  ),
  ['fill-of-a-rejection', { ...REJECTED, price: '10.0000' }],
  ['fill-of-a-rejection', { ...REJECTED, executionId: 'e-1' }],
];

test.each(UNREADABLE)('a report that breaks the rule %s says too little: %j', (rule, change) => {
  expect(readReport(worded(change))).toMatchObject({ rule, why: expect.any(String) });
  expect(REPORT_RULES[rule]).toBe('set aside');
});

const NOT_OURS: [ReportRule, Partial<WordedReport>, Trade | null][] = [
  ['trade', {}, null],
  ['order', { stockTicker: 'MSFT' }, executed()],
  ['order', { stockTicker: '' }, executed()],
  ['order', { type: 'sell' }, executed()],
  ['order', { quantity: 9 }, executed()],
  ['order', { quantity: 11 }, executed()],
  ['order', { quantity: 0 }, executed()],
  ['attempt', { attempt: 1 }, executed()],
  ['attempt', {}, executed({ attempt: 1 })],
  ['never-sent', {}, executed({ status: 'placed' })],
  ['never-sent', REJECTED, executed()],
  ['execution', {}, executed()],
  ['ended', {}, executed({ status: 'filled' })],
  ['ended', {}, executed({ status: 'rejected' })],
];

test.each(NOT_OURS)('a report that changed nothing broke the rule %s: %j', (rule, change, trade) => {
  expect(whySetAside(said(change), trade)).toMatchObject({ rule });
  expect(REPORT_RULES[rule]).toBe('set aside');
});

const SELL = { type: 'sell', limitPrice: usd('9.4050') } as const;
const BOOKED: [ReportRule[], Partial<WordedReport>, Partial<Trade>][] = [
  [[], {}, {}],
  [[], { price: '10.5000' }, {}],
  [['limit'], { price: '10.5001' }, {}],
  [['limit'], { price: '999999999.0000' }, {}],
  [[], { price: '5.2500' }, {}],
  [['far-better'], { price: '5.2499' }, {}],
  [['far-better'], { price: '0.0001' }, {}],
  [[], { type: 'sell', price: '9.4050' }, SELL],
  [['limit'], { type: 'sell', price: '9.4049' }, SELL],
  [['limit'], { type: 'sell', price: '0.0100' }, SELL],
  [[], { type: 'sell', price: '18.8100' }, SELL],
  [['far-better'], { type: 'sell', price: '18.8101' }, SELL],
  [[], { executedAt: new Date(SENT.getTime() - 1_000) }, {}],
  [['before-sent'], { executedAt: new Date(SENT.getTime() - 1_001) }, {}],
  [['before-sent'], { executedAt: new Date(0) }, {}],
  [[], { executedAt: new Date(NOW + 1_000) }, {}],
  [['future'], { executedAt: new Date(NOW + 1_001) }, {}],
  [['rejection-of-a-fill'], { refusal: REFUSAL }, {}],
  [['limit', 'before-sent', 'rejection-of-a-fill'], { price: '11.0000', executedAt: new Date(0), refusal: REFUSAL }, {}],
  [[], { ...REJECTED, executedAt: new Date(0) }, {}],
];

test.each(BOOKED)('a booked report that breaks the rules %j is told to operators: %j', (rules, change, difference) => {
  const doubts = doubtsAbout(said(change), executed(difference), NOW);
  expect(doubts.map(({ rule }) => rule)).toEqual(rules);
  for (const { rule } of doubts) expect(REPORT_RULES[rule]).toBe('booked');
});

test('an open order is no report yet; a rejection without a reason is one', () => {
  expect(readReport(worded({ state: 'open', executedAt: undefined, price: '', executionId: '' }))).toBe('open');
  expect(said({ ...REJECTED, refusal: undefined }).outcome).toMatchObject({
    kind: 'rejected',
    refusal: { code: 'EXCHANGE_REJECTED' },
  });
});

test('every rule has a case here or, where the database is the judge, in the tests of the flow', () => {
  const tried = [...UNREADABLE.map(([rule]) => rule), ...NOT_OURS.map(([rule]) => rule), ...BOOKED.flatMap(([rules]) => rules)];
  expect(new Set<string>([...tried, 'figures'])).toEqual(new Set(Object.keys(REPORT_RULES)));
});
