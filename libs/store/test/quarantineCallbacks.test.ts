import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { quarantineCallbacks } from '../src/quarantineCallbacks.ts';
import { openBank } from './bank.ts';

const { db } = await openBank();

test('a callback is kept once, byte for byte, however often it comes; another trade’s, or for another reason, is another one', async () => {
  const [tradeId, other] = [randomUUID(), randomUUID()];
  const raw = Buffer.from([0x7b, 0x00, 0xff, 0x22, 0x5c, 0x2c, 0x7d]); // Not UTF-8, and with what an array's text has to quote.
  const why = 'price of "0, or less" \\ {NULL}';
  await quarantineCallbacks(db, [
    { tradeId, why, raw },
    { tradeId: null, why, raw },
    { tradeId, why, raw },
  ]);
  await quarantineCallbacks(db, [
    { tradeId: other, why, raw },
    { tradeId, why: 'another reason', raw },
    { tradeId, why, raw },
  ]);
  const kept = await db.callbackQuarantine.findMany();
  const expected = [
    { tradeId, why, raw },
    { tradeId: null, why, raw },
    { tradeId: other, why, raw },
    { tradeId, why: 'another reason', raw },
  ];
  expect(kept).toHaveLength(expected.length);
  expect(kept.map((row) => ({ tradeId: row.tradeId, why: row.why, raw: Buffer.from(row.raw) }))).toEqual(
    expect.arrayContaining(expected),
  );
});

test('one that was booked is kept once for each reason, whatever its bytes', async () => {
  const booked = { tradeId: randomUUID(), why: 'booked, but', raw: Buffer.from('as a callback'), booked: true };
  await quarantineCallbacks(db, [booked]);
  await quarantineCallbacks(db, [
    { ...booked, raw: Buffer.from('as an answer') },
    { ...booked, why: 'booked, and' },
  ]);
  const kept = await db.callbackQuarantine.findMany({ where: { tradeId: booked.tradeId }, orderBy: { id: 'asc' } });
  expect(kept).toMatchObject([
    { why: 'booked, but', booked: true, resolvedAt: null },
    { why: 'booked, and', booked: true },
  ]);
});
