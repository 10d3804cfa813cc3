import fc from 'fast-check';

/** Of a run; one more is a stranger without an account. */
export const CUSTOMERS = 3;
const STRANGER = CUSTOMERS;
const TICKERS = ['AAPL', 'MSFT'];

/** Commands name customers and trades by number, because ids are new in every run. */
export type Command =
  | {
      kind: 'insert';
      orders: { customer: number; clientOrderId: string; ticker: string; buys: boolean; quantity: number; waits: boolean }[];
    }
  | {
      kind: 'mark';
      marks: {
        customer: number;
        trade: number | 'oldest';
        staleEpoch: boolean;
        limitPrice: bigint | 'halted' | 'closed' | 'adopt';
      }[];
    }
  | { kind: 'cancel'; cancels: { customer: number; trade: number }[] }
  | {
      kind: 'settle';
      reports: { trade: number; price: bigint | null; execution: string; otherQuantity: boolean; closed: boolean }[];
    }
  | { kind: 'read' | 'sweep' | 'take over'; customer: number }
  | { kind: 'quarantine'; trade: number; why: string }
  | { kind: 'watch'; customer: number; revision: number };

const customer = fc.integer({ min: 0, max: CUSTOMERS - 1 });
const trade = fc.nat({ max: 9 });
const whom = fc.oneof({ weight: 9, arbitrary: customer }, { weight: 1, arbitrary: fc.constant(STRANGER) });
const anOrder = fc.record({
  customer: whom,
  clientOrderId: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  ticker: fc.constantFrom(...TICKERS),
  buys: fc.boolean(),
  quantity: fc.integer({ min: 1, max: 12 }),
  waits: fc.boolean(),
});
const aMark = fc.record({
  customer,
  trade: fc.oneof({ weight: 4, arbitrary: fc.constant('oldest' as const) }, { weight: 1, arbitrary: trade }),
  staleEpoch: fc.boolean(),
  limitPrice: fc.oneof(
    { weight: 5, arbitrary: fc.bigInt({ min: 1n, max: 60_0000n }) },
    { weight: 2, arbitrary: fc.constantFrom('halted' as const, 'closed' as const, 'adopt' as const) },
  ),
});
const aReport = fc.record({
  trade,
  price: fc.option(fc.bigInt({ min: 1n, max: 120_0000n }), { freq: 4 }),
  execution: fc.constantFrom('e1', 'e2', 'one for all'),
  closed: fc.boolean(),
  otherQuantity: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});
/** One item a customer or trade in a statement, as the batchers see to it. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('insert' as const), orders: fc.array(anOrder, { minLength: 1, maxLength: 5 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('mark' as const),
      marks: fc.uniqueArray(aMark, { minLength: 1, maxLength: 3, selector: (mark) => mark.customer }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cancel' as const),
      cancels: fc.uniqueArray(fc.record({ customer, trade }), { minLength: 1, maxLength: 3, selector: (each) => each.customer }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      reports: fc.uniqueArray(aReport, { minLength: 1, maxLength: 4, selector: (report) => report.trade }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'sweep' as const, 'take over' as const), customer }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('quarantine' as const), trade, why: fc.constantFrom('odd', 'unknown') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('watch' as const), customer: whom, revision: fc.nat({ max: 25 }) }),
  },
);
