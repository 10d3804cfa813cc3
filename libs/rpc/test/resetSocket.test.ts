import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { resetSocket } from '../src/index.ts';

/** Both ends of a connection; the client's is ended only by the test. */
async function connection(): Promise<{ client: Socket; server: Socket }> {
  const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  client.resume();
  const [server] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  onTestFinished(() => {
    client.destroy();
    server.destroy();
  });
  server.on('error', () => {});
  return { client, server };
}

test('reset: the peer is told at once', async () => {
  const { client, server } = await connection();
  const told = once(client, 'error');
  resetSocket(server);
  expect(await told).toMatchObject([{ code: 'ECONNRESET' }]);
});

test('reset: also when much waits to be sent', async () => {
  const { client, server } = await connection();
  client.pause();
  server.write(Buffer.alloc(20_000_000));
  resetSocket(server);
  const told = once(client, 'error');
  client.resume();
  expect(await told).toMatchObject([{ code: 'ECONNRESET' }]);
});

test.each([
  ['is just ending', async (server: Socket) => server.end()],
  ['has ended', async (server: Socket) => once(server.end(), 'finish')],
])('reset: one that %s is not kept: what its peer sends is refused', async (_what, end) => {
  const { client, server } = await connection();
  const heardEnd = once(client, 'end');
  await end(server);
  resetSocket(server);
  await heardEnd;
  const refused = once(client, 'error');
  const writing = setInterval(() => client.write('is anybody there?'), 5);
  onTestFinished(() => clearInterval(writing));
  expect(await refused).toMatchObject([{ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) }]);
});
