import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonNumberProblems } from '../src/index.ts';

const REPORT = 'exchange.v1.OrderReport';
const BEHAVIOUR = 'exchange.v1.Behaviour';

test.each([0, -1, 5, 2 ** 31, 2 ** 53 - 1, '0', '-0', '5', '-5', '9223372036854775807'])('numbers: %j is whole', (quantity) => {
  expect(jsonNumberProblems(REPORT, { quantity })).toEqual([]);
});

test.each([
  '',
  ' ',
  '5 ',
  '\t5',
  '05',
  '00',
  '-',
  '--5',
  '+5',
  '5.',
  '5.0',
  '.5',
  '1e3',
  '0x5',
  '0X5',
  '0b1',
  '0o7',
  '5n',
  '5_0',
  '٥',
  '5,0',
  'Infinity',
])('numbers: the text %j is none', (quantity) => {
  expect(jsonNumberProblems(REPORT, { quantity })).toEqual([{ field: 'quantity', description: expect.any(String) }]);
});

test.each<[unknown]>([[5.5], [1e300], [2 ** 53], [true], [false], [{}], [[]], [[5]], [{ valueOf: 5 }]])(
  'numbers: %j is none',
  (quantity) => {
    expect(jsonNumberProblems(REPORT, { quantity })).toEqual([{ field: 'quantity', description: expect.any(String) }]);
  },
);

test.each([undefined, null])('numbers: %j is left out', (quantity) => {
  expect(jsonNumberProblems(REPORT, { quantity })).toEqual([]);
});

test.each<[unknown]>([[null], [undefined], [5], ['text'], [[]], [[5]], [{}], [{ quantities: 'x' }]])(
  'numbers: there is none in %j',
  (message) => {
    expect(jsonNumberProblems(REPORT, message)).toEqual([]);
  },
);

test('numbers: of fractions as well, by either name, and in the depth of a message', () => {
  const wrong = (value: unknown) => jsonNumberProblems(BEHAVIOUR, { reject_rate: value });
  for (const fine of [0.5, '0.5', '1e-3', '-5', 'NaN', 'Infinity']) expect(wrong(fine)).toEqual([]);
  for (const bad of ['0x1', '1.', '.5', '+1', '', ' 1', true, []]) expect(wrong(bad)).toMatchObject([{ field: 'reject_rate' }]);
  expect(jsonNumberProblems(BEHAVIOUR, { rejectRate: '0x1', latency_min_ms: '0x1' })).toMatchObject([
    { field: 'latency_min_ms' },
    { field: 'reject_rate' },
  ]);
  const nested = { reports: [{ quantity: 5 }, { quantity: '0x5', executedAt: '2026-01-01T00:00:00Z' }] };
  expect(jsonNumberProblems('exchange.v1.ReportOrdersRequest', nested)).toMatchObject([{ field: 'reports[1].quantity' }]);
});

test('numbers: a thousand wrong ones are told of the first twenty, each cut', () => {
  const reports = Array.from({ length: 1_000 }, () => ({ quantity: 'x'.repeat(10_000) }));
  const problems = jsonNumberProblems('exchange.v1.ReportOrdersRequest', { reports });
  expect(problems).toHaveLength(20);
  expect(JSON.stringify(problems).length).toBeLessThan(4_000);
});

test('numbers: whatever JSON there is, what passes is a whole number in digits', () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.string(), fc.integer().map(String), fc.double()), (quantity) => {
      const isWhole =
        quantity === null ||
        (typeof quantity === 'number'
          ? Number.isSafeInteger(quantity)
          : /^-?\d+$/.test(String(quantity)) && `${BigInt(String(quantity))}` === quantity);
      fc.pre(quantity !== '-0');
      expect(jsonNumberProblems(REPORT, { quantity }).length).toBe(isWhole ? 0 : 1);
    }),
    { numRuns: 2_000 },
  );
});
