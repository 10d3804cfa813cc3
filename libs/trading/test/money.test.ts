import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatUsd, parseUsd } from '../src/index.ts';

test.each([
  ['0', 0n, '0.0000'],
  ['189.92', 1_899_200n, '189.9200'],
  ['0.0001', 1n, '0.0001'],
  ['-12.5', -125_000n, '-12.5000'],
  ['9999999999999.9999', 99_999_999_999_999_999n, '9999999999999.9999'],
])('money: %s is %d ten-thousandths, written %s', (text, amount, written) => {
  expect(parseUsd(text)).toBe(amount);
  expect(formatUsd(amount)).toBe(written);
});

test.each(['', '.5', '1.', '1.23456', '1e5', '+1', ' 1', '1,000.00', '0x10', 'NaN', '12345678901234', '１'])(
  'money: %j is refused, never guessed',
  (text) => {
    expect(() => parseUsd(text)).toThrow(RangeError);
  },
);

test('money: every amount survives being written and read', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 17n) + 1n, max: 10n ** 17n - 1n }), (amount) => {
      expect(parseUsd(formatUsd(amount))).toBe(amount);
    }),
  );
});
