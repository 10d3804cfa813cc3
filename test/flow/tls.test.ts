import { RpcChannel, Status } from '@stockbroker/rpc';
import { ExchangeServiceDefinition } from '@stockbroker/rpc/exchange';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { PemFiles, TestAuthority } from '../support/certificates.ts';
import { authority, open2, over1, over2 } from '../support/tlsClients.ts';

/** A broker both of whose ports speak TLS, and whose exchange asks for certificates of an authority of its own. */
const files = new PemFiles();
let members: TestAuthority;
let broker: Broker;
let alice: Customer;
let webPort: number;
beforeAll(async () => {
  members = await TestAuthority.create('Members of the exchange');
  const [gateway, exchange, broker1, tests] = await Promise.all([
    authority.issue('gateway'),
    authority.issue('exchange'),
    members.issue('broker'),
    members.issue('tests'),
  ]);
  const ca = files.write('ca.crt', authority.ca);
  const own = files.writePair('gateway', gateway);
  const server = files.writePair('exchange', exchange);
  const member = files.writePair('broker', broker1);
  const towardsExchange = { EXCHANGE_TLS_CA: ca, EXCHANGE_TLS_CERT: member.cert, EXCHANGE_TLS_KEY: member.key };
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: {
      gateway: { ...towardsExchange, GATEWAY_TLS_CERT: own.cert, GATEWAY_TLS_KEY: own.key },
      worker: towardsExchange,
      exchange: {
        EXCHANGE_SERVER_TLS_CERT: server.cert,
        EXCHANGE_SERVER_TLS_KEY: server.key,
        EXCHANGE_SERVER_TLS_CLIENT_CA: files.write('members.crt', members.ca),
      },
    },
    tls: {
      gateway: { ca: Buffer.from(authority.ca) },
      exchange: { ca: Buffer.from(authority.ca), cert: Buffer.from(tests.cert), key: Buffer.from(tests.key) },
    },
  });
  alice = await broker.customer({ cash: usd('1000.00') });
  webPort = Number(new URL(broker.gateway(0).endpoints.web ?? '').port);
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await closeBroker(broker);
  files.remove();
});

test('a buy over gRPC, and one over each protocol of the web port, reach the exchange and are filled', async () => {
  expect(broker.gateway(0).endpoints.web).toMatch(/^https:/);
  await alice.buys(3, 'AAPL', { clientOrderId: 'grpc' });
  const headers = { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' };
  const path = '/stockbroker.v1.TradingService/PlaceTrade';
  const order = (clientOrderId: string) => JSON.stringify({ stockTicker: 'AAPL', type: 'BUY', quantity: 3, clientOrderId });
  const session = open2(webPort);
  expect(await over2(session, { ':method': 'POST', ':path': path, ...headers }, order('http2'))).toMatchObject({ status: 200 });
  session.close();
  expect(await over1(webPort, path, { method: 'POST', headers }, order('http1'))).toMatchObject({ status: 200 });
  // The books count what was acknowledged to the customer's own client: asking again is that, and places nothing.
  for (const clientOrderId of ['http2', 'http1']) await alice.buys(3, 'AAPL', { clientOrderId });
  await broker.exchange.whileBehaving({ manual: false }, () => broker.allEnded());
  await eventually(
    () => alice.cash(),
    (cash) => cash === usd('910.00'),
  );
});

test('who has no certificate of a member is refused by the exchange, and who speaks no TLS by all', async () => {
  const ca = Buffer.from(authority.ca);
  const { exchangeAddress, gatewayAddress } = broker.system;
  const stranger = await authority.issue('no member');
  const attempts: [string, ConstructorParameters<typeof RpcChannel>[2]][] = [
    [exchangeAddress, { ca }],
    [exchangeAddress, { ca, cert: Buffer.from(stranger.cert), key: Buffer.from(stranger.key) }],
    [exchangeAddress, undefined],
    [gatewayAddress, undefined],
  ];
  for (const [address, tls] of attempts) {
    const channel = new RpcChannel(address, { authorization: `Bearer ${broker.system.exchangeApiKey}` }, tls);
    const call = channel.client(ExchangeServiceDefinition).listInstruments({});
    await expect(call).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    channel.close();
  }
});
