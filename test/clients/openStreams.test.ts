import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { growth, readVitals } from '../hostile/vitals.ts';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { gatewayMetric, STREAMING } from './cases.ts';
import { type NodeStreams, openStreams } from './nodeStreams.ts';
import { type PageServer, servePage } from './openPage.ts';

const STREAMS = 1_000;
const { watchQuotes } = TradingServiceDefinition.methods;

let broker: Broker;
let served: PageServer;
let customers: Customer[];
beforeAll(async () => {
  served = await servePage();
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: { GATEWAY_WEB_ORIGINS: served.origin, GATEWAY_MAX_STREAMS: String(STREAMS) } },
  });
  customers = await broker.customers(50, { cash: usd('1000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await served?.close();
  await closeBroker(broker);
});

const metric = (name: string) => gatewayMetric(broker, name);

test('a thousand open streams: all are told, all end, and the gateway holds nothing of them afterwards', async () => {
  const url = broker.gateway(0).endpoints.web ?? '';
  const [first = expect.unreachable()] = customers;
  await openAndClose(url, 100); // Code that is compiled at first is not what a stream costs.
  await first.account(); // Its connection stays.
  const before = await readVitals(broker.gateway(0));
  const connections = await metric('server_connections');

  // As many as a browser allows one host over HTTP/1.1.
  const page = await served.open(served.origin, url);
  const open = () => STREAMING.map((client) => page.start(client, 'watchTrades', {}, { token: first.token }));
  const inPage = await Promise.all([...open(), ...open()]);
  const others = await openOthers(url, STREAMS - inPage.length);
  await eventually(
    () => metric('server_streams'),
    (count) => count === STREAMS,
  );
  const during = await readVitals(broker.gateway(0));

  const trades = await Promise.all(customers.map((customer) => customer.buys(1, 'AAPL')));
  for (const stream of inPage) {
    const { messages } = await eventually(
      () => stream.look(),
      (state) => state.messages.length >= 2,
    );
    expect(messages[1]).toMatchObject({ event: { $case: 'change', value: { trades: [{ orderId: trades[0]?.orderId }] } } });
  }
  const told = () => others.map(({ following }, number) => following.lastToldOf(trades[number]?.orderId ?? ''));
  const all = others.map(({ following }) => following.open);
  await eventually(told, (counts) => counts.join() === all.join(), {
    what: 'the news of its trade on every stream of a customer',
  });
  expect(sum(others.flatMap(({ following, quotes }) => [following.open, quotes.open]))).toBe(STREAMS - inPage.length);

  await page.close();
  closeAll(others);
  await eventually(
    () => metric('server_streams'),
    (count) => count === 0,
  );
  await eventually(
    () => metric('server_connections'),
    (count) => count <= connections,
  );
  const after = await eventually(
    () => readVitals(broker.gateway(0)),
    (vitals) => growth('gateway', before, vitals).length === 0, // A garbage collection comes when it likes.
    { what: 'what the gateway held before' },
  );
  console.log(`${STREAMS} streams, the gateway's memory: ${JSON.stringify({ before, during, after })}`);
});

async function openAndClose(url: string, count: number): Promise<void> {
  closeAll(await openOthers(url, count));
  await eventually(
    () => metric('server_streams'),
    (open) => open === 0,
  );
}

interface Followed {
  following: NodeStreams;
  quotes: NodeStreams;
}

/** By Node; half of them follow trades, each customer's equally often, and half quotes. */
function openOthers(url: string, count: number): Promise<Followed[]> {
  const service = `${url}/${TradingServiceDefinition.fullName}`;
  const body = Buffer.from(watchQuotes.requestType.encode({ stockTickers: ['AAPL'] }).finish());
  const upTo = (number: number) => Math.round((number * count) / customers.length);
  return Promise.all(
    customers.map(async ({ token }, number) => {
      const share = upTo(number + 1) - upTo(number);
      const half = Math.floor(share / 2);
      const [following, quotes] = await Promise.all([
        openStreams(half, { url: `${service}/WatchTrades`, token, body: Buffer.alloc(0) }),
        openStreams(share - half, { url: `${service}/WatchQuotes`, token, body }),
      ]);
      return { following, quotes };
    }),
  );
}

function closeAll(opened: readonly Followed[]): void {
  for (const { following, quotes } of opened) {
    following.close();
    quotes.close();
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
