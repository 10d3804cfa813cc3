import { RpcChannel, Status, type TlsIdentity } from '@stockbroker/rpc';
import { ExchangeServiceDefinition } from '@stockbroker/rpc/exchange';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { type Pair, PemFiles, TestAuthority } from '../support/certificates.ts';
import { authority, open2, over1, over2 } from '../support/tlsClients.ts';
import { runTool } from '../tools/tool.ts';

const EXCHANGE_NAME = 'exchange.example.com';
/** A broker both of whose ports speak TLS, and whose exchange has another name and asks for certificates of an authority of its own. */
const files = new PemFiles();
let members: TestAuthority;
let broker: Broker;
let alice: Customer;
let webPort: number;
beforeAll(async () => {
  members = await TestAuthority.create('Members of the exchange');
  const [gateway, exchange, broker1, tests] = await Promise.all([
    authority.issue('gateway'),
    authority.issue('exchange', { hosts: [EXCHANGE_NAME] }),
    members.issue('broker'),
    members.issue('tests'),
  ]);
  const ca = files.write('ca.crt', authority.ca);
  const own = files.writePair('gateway', gateway);
  const server = files.writePair('exchange', exchange);
  const member = files.writePair('broker', broker1);
  const towardsExchange = {
    EXCHANGE_TLS_CA: ca,
    EXCHANGE_TLS_CERT: member.cert,
    EXCHANGE_TLS_KEY: member.key,
    EXCHANGE_TLS_SERVER_NAME: EXCHANGE_NAME,
  };
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
      exchange: asMember(tests),
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

/** What the exchange lets in. */
function asMember({ cert, key }: Pair, serverName = EXCHANGE_NAME): TlsIdentity {
  return { ca: Buffer.from(authority.ca), cert: Buffer.from(cert), key: Buffer.from(key), serverName };
}

test('who has no certificate of a member is refused by the exchange, who expects another name refuses it, and who speaks no TLS is refused by all', async () => {
  const [stranger, member] = await Promise.all([authority.issue('no member'), members.issue('member')]);
  const { exchangeAddress, gatewayAddress } = broker.system;
  const attempts: [string, ConstructorParameters<typeof RpcChannel>[2]][] = [
    [exchangeAddress, { ca: Buffer.from(authority.ca), serverName: EXCHANGE_NAME }],
    [exchangeAddress, asMember(stranger)],
    [exchangeAddress, asMember(member, '127.0.0.1')],
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

test('npm run trade speaks TLS with a gateway at https://, and tells what it needs for that', async () => {
  const gateway = `https://${broker.system.gatewayAddress}`;
  const account = (...more: string[]) => runTool('trade', ['account', '--token', alice.token, '--json', ...more]);
  const known = await account('--gateway', gateway, '--ca', files.path('ca.crt'));
  expect(known.code, known.stderr).toBe(0);
  expect(JSON.parse(known.stdout)).toMatchObject({ customerId: alice.id });
  const [untrusted, missing, plain] = await Promise.all([
    // Tried again until then: long enough for a busy machine to see the certificate once.
    account('--gateway', gateway, '--timeout', '10'),
    account('--gateway', gateway, '--ca', files.path('none.crt')),
    account('--gateway', broker.system.gatewayAddress, '--ca', files.path('ca.crt')),
  ]);
  expect(untrusted).toMatchObject({ code: 1, stderr: expect.stringMatching(/does not answer: .*certificate/) });
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('none.crt') });
  expect(plain).toMatchObject({ code: 1, stderr: expect.stringContaining('https://host:port') });
});
