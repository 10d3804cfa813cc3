import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { GrpcServer, RpcError, Status, WebServer } from '@stockbroker/rpc';
import { OrderState, ReportOrdersRequest, Side } from '@stockbroker/rpc/exchange';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { type SeededRandom, sleep } from '@stockbroker/runtime';
import type { Attack, Attacked } from './attackers.ts';
import { openRaw } from './http2Frames.ts';
import { BROKEN_PROXY_HEADERS, header, LOCAL, PROXY, proxyHeader } from './proxyHeaders.ts';
import { BROKEN_TIMEOUTS, HUGE_TIMEOUTS, PASSED_TIMEOUTS } from './timeouts.ts';

/** What stands at the edges of a gateway: keys, deadlines, spellings of ids and numbers, and the words of a balancer. */
export async function openEdgeAttacks(attacked: Attacked): Promise<Record<string, Attack>> {
  const { system, sign, gatewayWeb, callbackHttp, path } = attacked;
  const kids = publishBrokenKeys(system.issuer.jwksFile);
  // Of somebody without an account: nothing is stored for him.
  const stranger = crypto.randomUUID();
  const token = await system.issuer.tokenFor(stranger);
  const post = async (method: string, body: string, headers: Record<string, string> = {}) => {
    const url = `http://${gatewayWeb.address}/stockbroker.v1.TradingService/${method}`;
    const standard = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', body, headers: { ...standard, ...headers } });
    return { status: response.status, text: await response.text() };
  };
  const order = (more: object) => JSON.stringify({ stockTicker: 'AAPL', type: 'BUY', quantity: 1, ...more });
  const expected = (what: string, { status, text }: { status: number; text: string }, ...right: number[]) =>
    right.includes(status) ? undefined : `${what} was answered ${status} ${text.slice(0, 200)}`;
  const balanced = await openBalanced();

  return {
    'tokens of broken keys': async (random) => {
      const [kid, alg] = random.pick(kids);
      const claims = { sub: stranger, iss: system.issuer.name, aud: 'stockbroker', iat: 1, exp: 2 };
      const parts = [{ alg, kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
      const forged = `Bearer ${parts.join('.')}.${random.bytes(random.pick([64, 128, 256])).toString('base64url')}`;
      // An address that tries tokens is limited.
      return expected(`a token of the key ${kid}`, await post('GetAccount', '{}', { authorization: forged }), 401, 429);
    },
    deadlines: async (random) => {
      const [timeouts, ...right] = random.pick<[string[], ...number[]]>([
        [BROKEN_CONNECT_TIMEOUTS, 400],
        [['0', '00', '0000000000'], 504],
        [['2147483647', '2147483648', '4294967296', '9999999999', String(random.below(2 ** 33))], 404, 504],
      ]);
      const timeout = random.pick(timeouts);
      const answer = await post('PlaceTrade', order({}), { 'connect-timeout-ms': timeout });
      return expected(`connect-timeout-ms: ${timeout}`, answer, ...right, 429);
    },
    'deadlines of gRPC-Web': async (random) => {
      const timeout = random.pick([...BROKEN_TIMEOUTS, ...PASSED_TIMEOUTS, ...HUGE_TIMEOUTS]);
      const headers = { 'content-type': 'application/grpc-web+proto', 'grpc-timeout': Buffer.from(timeout).toString('latin1') };
      const { status, text } = await post('GetAccount', '\0\0\0\0\0', headers);
      const code = Number(/grpc-status:(\d+)/.exec(text)?.[1]);
      const right = HUGE_TIMEOUTS.includes(timeout) ? NOT_FOUND : BROKEN_TIMEOUTS.includes(timeout) ? INVALID : PASSED;
      return status === 200 && [right, Status.RESOURCE_EXHAUSTED].includes(code)
        ? undefined
        : `grpc-timeout: ${timeout} was answered ${status} ${code}`;
    },
    capitals: async (random) => {
      const customerId = mixed(random, stranger);
      const placed = await post('PlaceTrade', order({ customerId }));
      const orderId = mixed(random, crypto.randomUUID());
      return (
        expected(`the own customer_id ${customerId}`, placed, 404, 429) ??
        expected(`the order_id ${orderId}`, await post('GetTrade', JSON.stringify({ orderId })), 404, 429)
      );
    },
    'JSON numbers': async (random) => {
      const number = random.chance(0.5) ? random.pick(NO_NUMBERS) : random.bytes(1 + random.below(6)).toString('latin1');
      const isOne = /^-?(?:0|[1-9]\d*)$/.test(number);
      const answer = await post('PlaceTrade', order({ quantity: number }));
      return expected(`the quantity ${JSON.stringify(number)}`, answer, ...(isOne ? [400, 404] : [400]), 429);
    },
    'JSON numbers in callbacks': async (random) => {
      const report = {
        clientOrderId: mixed(random, crypto.randomUUID()),
        ticker: 'AAPL',
        side: Side.SIDE_BUY,
        quantity: 0,
        state: OrderState.ORDER_STATE_FILLED,
        price: '10.0000',
        executionId: 'x',
        executedAt: new Date(),
      };
      const json = JSON.stringify(ReportOrdersRequest.toJSON(ReportOrdersRequest.fromPartial({ reports: [report] })));
      const body = json.replace('{"clientOrderId"', `{"quantity":${JSON.stringify(random.pick(NO_NUMBERS))},"clientOrderId"`);
      const response = await fetch(`http://${callbackHttp.address}${path}`, { method: 'POST', body, headers: sign(body) });
      return response.status === 200 || response.status === 503 ? undefined : `a report was answered ${response.status}`;
    },
    'PROXY headers': (random) => balanced.attack(random),
    'PROXY headers where none belong': async (random) => {
      const raw = await openRaw(random.pick([attacked.gateway, gatewayWeb, attacked.callback, callbackHttp]).port);
      raw.write(random.pick([proxyHeader('192.0.2.1', 1), ...BROKEN_PROXY_HEADERS.map(([, bytes]) => bytes)]));
      await Promise.race([raw.ended, sleep(50)]);
      raw.destroy();
      return undefined;
    },
  };
}

const { NOT_FOUND, INVALID_ARGUMENT: INVALID, DEADLINE_EXCEEDED: PASSED } = Status;
const BROKEN_CONNECT_TIMEOUTS = ['soon', '-1', '1.5', '1e3', '0x10', '+5', '10000000000', '5, 5', ''];
const NO_NUMBERS = [
  '',
  ' ',
  '0x10',
  '0b101',
  '0o17',
  '+5',
  '5.',
  '.5',
  '1e1',
  '5.0',
  ' 5',
  '5 ',
  '05',
  '5n',
  'NaN',
  'Infinity',
  '-',
  '५',
];

function mixed(random: SeededRandom, id: string): string {
  return id.replace(/[a-f]/g, (letter) => (random.chance(0.5) ? letter.toUpperCase() : letter));
}

/** Puts keys that nothing can be checked with among the issuer's. @returns their ids, and an algorithm that names each */
function publishBrokenKeys(jwksFile: string): [string, string][] {
  const short = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' });
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const broken: [string, string, object][] = [
    ['short', 'RS256', short],
    ['no-modulus', 'RS256', { kty: 'RSA', e: 'AQAB' }],
    ['off-curve', 'ES256', { ...curve, y: curve.x }],
    ['encrypts', 'ES256', { ...curve, use: 'enc' }],
    ['secret', 'HS256', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
    ['unknown', 'EdDSA', { kty: 'DNA' }],
    ['empty', 'EdDSA', { kty: 'OKP', crv: 'Ed25519', x: '' }],
  ];
  const { keys } = JSON.parse(readFileSync(jwksFile, 'utf8')) as { keys: { kid: string }[] };
  const good = keys.filter(({ kid }) => broken.every(([name]) => name !== kid));
  writeFileSync(`${jwksFile}.new`, JSON.stringify({ keys: [...broken.map(([kid, , key]) => ({ ...key, kid })), null, ...good] }));
  renameSync(`${jwksFile}.new`, jwksFile);
  return broken.map(([kid, alg]) => [kid, alg]);
}

/** A server of ours behind a balancer, in this process: the broker's own would then serve nobody else. */
async function openBalanced(): Promise<{ attack: Attack }> {
  const edge = { host: '127.0.0.1', port: 0, maxRequestBytes: 1_024, proxyHeader: true, limits: { maxConnections: 50 } };
  const server = new GrpcServer({
    ...edge,
    maxInFlight: 100,
    toRpcError: (error) => new RpcError(Status.INTERNAL, String(error)),
  });
  const web = new WebServer({ ...edge, calls: server.calls, maxArriving: 100, allowedOrigins: [] });
  const port = await web.listen();
  const request = Buffer.from(
    `POST /${HealthDefinition.fullName}/Check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
  );
  return {
    attack: async (random) => {
      const isGood = random.chance(0.5);
      const bytes = isGood
        ? random.pick([
            proxyHeader(`192.0.2.${random.below(256)}`, random.below(65_536)),
            proxyHeader('2001:db8::1', 1, { tlvs: Buffer.from(random.bytes(random.below(2_000))) }),
            header(LOCAL, random.below(256), random.bytes(random.below(4_000))),
            header(PROXY, 0, random.bytes(random.below(100))),
          ])
        : random.pick([...BROKEN_PROXY_HEADERS.map(([, broken]) => broken), request, random.bytes(1 + random.below(200))]);
      const raw = await openRaw(port);
      const cut = random.below(bytes.length);
      raw.write(bytes.subarray(0, cut));
      if (random.chance(0.5)) await sleep(5);
      raw.write(Buffer.concat([bytes.subarray(cut), request]));
      await Promise.race([raw.ended, sleep(5_000)]);
      raw.destroy();
      const isServed = raw.received().toString('latin1').startsWith('HTTP/1.1 200 ');
      return isServed === isGood ? undefined : `the PROXY header ${bytes.toString('hex')} was ${isServed ? '' : 'not '}taken`;
    },
  };
}
