import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamQuotesResponse } from '../src/exchange.ts';
import { Trade } from '../src/stockbroker.ts';
import { asJson, BUY, framed, openWeb, order, PLACE, QUOTES, unframed, webProto } from './webFixture.ts';

/** Answers compressed for clients that say they read that. */
let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb();
});
afterAll(() => web.close());

/** As it comes: `fetch` would unpack it. The trade's order id is what `authorization` says. */
async function post(path: string, body: string | Uint8Array, headers: Record<string, string>) {
  const sent = request({ host: '127.0.0.1', port: web.port, path, method: 'POST', agent: false, headers }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { headers: response.headers, body: await buffer(response) };
}

const LONG = 'x'.repeat(5_000);

test('JSON: a long answer is compressed for who takes gzip, and a short one for nobody', async () => {
  const plain = await post(PLACE, order(7), { ...asJson, authorization: LONG });
  expect(plain.headers['content-encoding']).toBeUndefined();
  const packed = await post(PLACE, order(7), { ...asJson, authorization: LONG, 'accept-encoding': 'br, gzip;q=0.5' });
  expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding, origin' });
  expect(packed.body.length).toBeLessThan(200);
  expect(gunzipSync(packed.body)).toEqual(plain.body);
  for (const [authorization, accepted] of [
    ['short', 'gzip'],
    [LONG, 'gzip;q=0'],
    [LONG, 'br'],
  ] as const) {
    const answer = await post(PLACE, order(7), { ...asJson, authorization, 'accept-encoding': accepted });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(JSON.parse(String(answer.body))).toMatchObject({ orderId: authorization });
  }
});

test('gRPC-Web: a long message is compressed by itself for who reads that; for browsers the whole answer is', async () => {
  const asked = { ...webProto, authorization: LONG, 'accept-encoding': 'gzip', 'grpc-accept-encoding': 'identity, gzip' };
  const packed = await post(PLACE, framed(BUY), asked);
  expect(packed.headers['grpc-encoding']).toBe('gzip');
  expect(packed.headers['content-encoding']).toBeUndefined();
  expect(packed.body[0]).toBe(1);
  expect(packed.body.length).toBeLessThan(300);
  const { messages, trailers } = unframed(packed.body);
  expect(Trade.decode(gunzipSync(messages[0] ?? ''))).toMatchObject({ orderId: LONG });
  expect(trailers).toMatchObject({ 'grpc-status': '0' });

  const short = await post(PLACE, framed(BUY), { ...asked, authorization: 'short' });
  expect(short.body[0]).toBe(0);
  expect(Trade.decode(unframed(short.body).messages[0] ?? Buffer.alloc(0))).toMatchObject({ orderId: 'short' });

  const whole = await post(PLACE, framed(BUY), { ...webProto, authorization: LONG, 'accept-encoding': 'gzip' });
  expect(whole.headers).toMatchObject({ 'content-encoding': 'gzip' });
  expect(whole.headers['grpc-encoding']).toBeUndefined();
  expect(Trade.decode(unframed(gunzipSync(whole.body)).messages[0] ?? Buffer.alloc(0))).toMatchObject({ orderId: LONG });
});

test.each(['application/grpc-web+proto', 'application/grpc-web-text'])(
  'a stream in %s: each message is compressed by itself',
  async (type) => {
    const isText = type.endsWith('text');
    const headers = { 'content-type': type, 'grpc-accept-encoding': 'gzip', 'x-user-agent': 'three' };
    const frame = framed(Buffer.alloc(0));
    const answer = await post(QUOTES, isText ? frame.toString('base64') : frame, headers);
    expect(answer.headers['grpc-encoding']).toBe('gzip');
    const pieces = String(answer.body).match(/[^=]+=*/g) ?? [];
    const body = isText ? Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))) : answer.body;
    expect(body[0]).toBe(1);
    const { messages, trailers } = unframed(body);
    const tickers = messages.map((message) => StreamQuotesResponse.decode(gunzipSync(message)).quotes[0]?.ticker.slice(0, 3));
    expect(tickers).toEqual(['T0x', 'T1x', 'T2x']);
    expect(trailers).toMatchObject({ 'grpc-status': '10' });
  },
);
