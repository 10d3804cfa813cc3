import type { OpeningAccount } from '@stockbroker/store';

export interface DemoCustomer extends OpeningAccount {
  /** What people call the customer on the command line. */
  name: string;
}

/** Customers of the development database: opened by `npm start`, and known by name to `npm run trade`. */
export const demoCustomers: readonly DemoCustomer[] = [
  {
    name: 'alice',
    customerId: 'a11ce000-0000-4000-8000-000000000001',
    cash: 100_000_0000n,
    shares: { AAPL: 100, MSFT: 50 },
  },
  { name: 'bob', customerId: 'b0b00000-0000-4000-8000-000000000002', cash: 25_000_0000n, shares: { NVDA: 200, 'BRK.B': 10 } },
  { name: 'carol', customerId: 'ca401000-0000-4000-8000-000000000003', cash: 5_000_0000n, shares: {} },
  { name: 'dave', customerId: 'da4e0000-0000-4000-8000-000000000004', cash: 0n, shares: { TSLA: 40, KO: 300 } },
];
