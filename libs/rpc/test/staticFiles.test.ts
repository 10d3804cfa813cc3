import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrpcServer, StaticFiles, WebServer } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'stockbroker-page-'));
const root = join(folder, 'dist');
const SCRIPT = 'console.log("a script")';
let web: WebServer;
let base: string;
beforeAll(async () => {
  mkdirSync(join(root, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(root, '.stamp.txt'), 'hidden');
  writeFileSync(join(root, 'index.html'), '<!doctype html>');
  writeFileSync(join(root, 'assets/app-1a2b.js'), SCRIPT);
  writeFileSync(join(root, 'assets/app-1a2b.js.br'), brotliCompressSync(SCRIPT));
  const options = { host: '127.0.0.1', port: 0, maxRequestBytes: 1_024 };
  const files = new StaticFiles(root, { 'x-frame-options': 'DENY' }, { '/config.json': '{}' });
  const { calls } = new GrpcServer({
    ...options,
    maxInFlight: 1,
    toRpcError: (error) => {
      throw error;
    },
  });
  web = new WebServer({ ...options, calls, maxArriving: 10, allowedOrigins: [], page: (asked) => files.answer(asked) });
  base = `http://127.0.0.1:${await web.listen()}`;
});
afterAll(async () => {
  await web.stop(0);
  rmSync(folder, { recursive: true });
});

/** As it is, without what fetch makes of paths and encodings. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    request(`${base}/`, { path, headers, method }, (response) => {
      response
        .toArray()
        .then(
          (chunks) => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
          reject,
        );
    })
      .on('error', reject)
      .end();
  });
}

test('the page is asked for again each time, what has a hash in its name is kept for ever', async () => {
  expect(await get('/?code=1')).toMatchObject({
    status: 200,
    body: Buffer.from('<!doctype html>'),
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache', 'x-frame-options': 'DENY' },
  });
  expect(await get('/assets/app-1a2b.js')).toMatchObject({
    status: 200,
    body: Buffer.from(SCRIPT),
    headers: { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable' },
  });
  expect(await get('/config.json')).toMatchObject({ status: 200, body: Buffer.from('{}') });
});

test('what was compressed beforehand is sent so to those who take it', async () => {
  const small = await get('/assets/app-1a2b.js', { 'accept-encoding': 'gzip, br' });
  expect(small.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding, origin' });
  expect(small.body).toEqual(brotliCompressSync(SCRIPT));
  for (const refused of ['gzip, br;q=0', 'identity', 'brotli'])
    expect((await get('/assets/app-1a2b.js', { 'accept-encoding': refused })).headers).not.toHaveProperty('content-encoding');
});

test('who has it already gets it no more', async () => {
  const { headers } = await get('/');
  const again = { 'if-none-match': `"other", W/${headers.etag}` };
  expect(await get('/', again)).toMatchObject({ status: 304, body: Buffer.alloc(0), headers: { etag: headers.etag } });
  expect(await get('/', { 'if-none-match': '"other"' })).toMatchObject({ status: 200 });
});

test('HEAD has the headers alone', async () => {
  const { status, headers, body } = await get('/', {}, 'HEAD');
  expect({ status, length: headers['content-length'], body: body.length }).toEqual({ status: 200, length: '15', body: 0 });
});

test.each([
  '/../secret.txt',
  '/assets/../../secret.txt',
  '/%2e%2e/secret.txt',
  '/..%2fsecret.txt',
  '/.stamp.txt',
  '/assets/',
  '/assets/app-1a2b.js.br',
  '//index.html',
  '/nothing',
])('%s is not there', async (path) => {
  const { status, body } = await get(path);
  expect({ status, body: String(body) }).toEqual({ status: 404, body: 'There is nothing here.\n' });
});

test('other methods are no way to the page', async () => {
  expect(await get('/', {}, 'PUT')).toMatchObject({ status: 405 });
});

test('a folder without a page is refused when it is read', () => {
  expect(() => new StaticFiles(folder, {})).toThrow('there is no index.html');
});
