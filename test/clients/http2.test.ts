import { Status } from '@stockbroker/rpc';
import type { WatchTradesResponse } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { PemFiles } from '../support/certificates.ts';
import { authority } from '../support/tlsClients.ts';
import { CLIENTS, expectErrorDetails, expectLiveStreams, expectSameAnswers, gatewayMetric, STREAMING, told } from './cases.ts';
import { type CallingPage, type PageServer, type StartedCall, servePage } from './openPage.ts';

/** The same clients with a gateway that speaks TLS, to which a browser then speaks HTTP/2. */
const CUSTOMERS = 12;
/** Over HTTP/1.1 a browser opens six connections to a host, and a stream takes one. Over HTTP/2 Chromium has 256 at most. */
const STREAMS_EACH = 20;

const files = new PemFiles();
let broker: Broker;
let served: PageServer;
let page: CallingPage;
let alice: Customer;
beforeAll(async () => {
  served = await servePage();
  const { cert, key } = files.writePair('gateway', await authority.issue('gateway'));
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' }, MSFT: 'none' },
    env: { gateway: { GATEWAY_WEB_ORIGINS: served.origin, GATEWAY_TLS_CERT: cert, GATEWAY_TLS_KEY: key } },
    tls: { gateway: { ca: Buffer.from(authority.ca) } },
  });
  alice = await broker.customer({ cash: usd('1000.00') });
  page = await served.open(served.origin, broker.gateway(0).endpoints.web ?? '');
});
afterEach((context) => {
  expect([...page.protocols]).toEqual(['h2']);
  return expectExactBooks(broker, context);
});
afterAll(async () => {
  await served?.close();
  await closeBroker(broker);
  files.remove();
});

const metric = (name: string) => gatewayMetric(broker, name);

describe.each(CLIENTS)('%s', (client) => {
  test('every unary method answers as it does over gRPC', () => expectSameAnswers({ broker, page, alice }, client));

  test('errors come with their details', () => expectErrorDetails({ page, alice }, client));
});

test.each(STREAMING)('%s: streams come live, and end at the gateway when they are cancelled', async (client) => {
  await expectLiveStreams({ broker, page }, client);
});

test('240 streams of one page over its one connection: all are told, and so are those that are left when the others are cancelled', async () => {
  const customers = await broker.customers(CUSTOMERS, { cash: usd('1000.00') });
  // Connections that stay.
  await alice.account();
  await Promise.all(STREAMING.map((client) => page.call(client, 'check', {})));
  const connections = await metric('server_connections');
  const open = async (customer: Customer, number: number) => {
    const client = STREAMING[number % STREAMING.length] ?? expect.unreachable();
    const start = () => page.start(client, 'watchTrades', {}, { token: customer.token });
    return { customer, streams: await Promise.all(Array.from({ length: STREAMS_EACH }, start)) };
  };
  const opened = await Promise.all(customers.map(open));
  for (const stream of opened.flatMap(({ streams }) => streams)) await told(stream, 1);
  expect(await metric('server_streams')).toBe(CUSTOMERS * STREAMS_EACH);
  const expectTold = async ({ customer, streams }: { customer: Customer; streams: StartedCall[] }) => {
    const { orderId } = await customer.buys(1, 'AAPL');
    for (const stream of streams) {
      const { ended } = await eventually(
        () => stream.look(),
        (state) => state.ended || state.messages.some(isChangeOf(orderId)),
      );
      expect(ended).toBe(false);
    }
  };
  await Promise.all(opened.map(expectTold));
  expect(await metric('server_connections')).toBe(connections);

  const [kept = expect.unreachable(), ...others] = opened;
  const cancelled = others.flatMap(({ streams }) => streams);
  await page.cancel(cancelled);
  for (const stream of cancelled) expect((await stream.ended()).failure).toMatchObject({ code: Status.CANCELLED });
  await eventually(
    () => metric('server_streams'),
    (count) => count === STREAMS_EACH,
  );
  await expectTold(kept);
  expect(await metric('server_connections')).toBe(connections);

  await page.cancel(kept.streams);
  await eventually(
    () => metric('server_streams'),
    (count) => count === 0,
  );
});

const isChangeOf = (orderId: string) => (message: unknown) => {
  const { event } = message as WatchTradesResponse;
  return event?.$case === 'change' && event.value.trades.some((trade) => trade.orderId === orderId);
};
