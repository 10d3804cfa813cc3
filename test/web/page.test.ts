import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { expectExactBooks } from '../support/broker.ts';
import { accessTests } from './access.ts';
import { type Desks, openDesks } from './desk.ts';
import { tradingTests } from './trading.ts';

/** One broker and one browser for both: each takes a while to start. */
let desks: Desks;
beforeAll(async () => {
  desks = await openDesks({
    quotes: { AAPL: { bid: '99.00', ask: '100.00' }, MSFT: { bid: '49.00', ask: '50.00' }, KO: 'halted' },
  });
});
afterEach(async (context) => {
  await desks.closeWindows();
  await expectExactBooks(desks.broker, context);
});
afterAll(() => desks?.close());

describe('trading', () => tradingTests(() => desks));
describe('access', () => accessTests(() => desks));
