import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTicker, isUuid, uuidV7 } from '../src/index.ts';

test('ids: a UUID v7 has its version, its variant and its time in front', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 10 }), (ms, random) => {
      const id = uuidV7(ms, random);
      expect(isUuid(id)).toBe(true);
      expect(id[14]).toBe('7');
      expect('89ab').toContain(id[19]);
      expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(ms);
    }),
  );
});

test('ids: RFC 9562 gives this example (appendix A.6)', () => {
  const random = Buffer.from('0cc318c4dc0c0c07398f', 'hex');
  expect(uuidV7(0x017f22e279b0, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
});

test.each(['AAPL', 'F', 'GOOGL', 'BRK.B', 'BF.A'])('ticker: %s is well formed', (ticker) => {
  expect(isTicker(ticker)).toBe(true);
});

test.each(['', 'aapl', 'TOOLONG', 'BRK-B', 'BRK.', '.B', 'BRK.BBB', 'AA PL', 'AAPL\n', 'ÄÖ'])('ticker: %j is not', (ticker) => {
  expect(isTicker(ticker)).toBe(false);
});
