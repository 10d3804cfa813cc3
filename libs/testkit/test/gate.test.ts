import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { type GateOptions, openGate } from '../src/gate.ts';

/** Says its name to each connection, then sends back what comes. @returns its host:port */
async function echo(name = ''): Promise<{ address: string; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write(name);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(stop);
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, stop };
}

async function gateTo(targets: GateOptions['targets']) {
  const gate = await openGate({ targets });
  onTestFinished(() => gate.close());
  return gate;
}

/** A connection, on its way; whether it ever comes is for the test to see. */
function client(port: number): Socket & { gone: Promise<void> } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return Object.assign(socket, { gone: new Promise<void>((resolve) => socket.once('close', () => resolve())) });
}

/** What the next server says of itself. */
async function greeting(port: number): Promise<string> {
  const socket = client(port);
  const [said] = await once(socket, 'data');
  socket.end();
  return String(said);
}

test('gate: bytes arrive whole in both directions, more than buffers hold, and the end of one direction leaves the other open', async () => {
  const gate = await gateTo([(await echo()).address]);
  const socket = client(gate.port);
  const sent = Buffer.alloc(8_000_000, 'abcdefg');
  socket.end(sent); // half closed: the answer comes after
  expect((await buffer(socket)).equals(sent)).toBe(true);
  await eventually(
    () => gate.connections,
    (open) => open === 0,
  );
});

test('gate: targets take turns, one that refuses is passed over, and removed ones lose their connections', async () => {
  const [a, b, dead] = [await echo('a'), await echo('b'), await echo('c')];
  await dead.stop();
  const gate = await gateTo([a.address, dead.address, b.address]);
  const greetings = [];
  for (let i = 0; i < 6; i += 1) greetings.push(await greeting(gate.port));
  expect(new Set(greetings)).toEqual(new Set(['a', 'b']));

  gate.setTargets([a.address]);
  const onA = client(gate.port);
  expect(String((await once(onA, 'data'))[0])).toBe('a');
  gate.setTargets([b.address]);
  await onA.gone;
  const onB = client(gate.port);
  expect(String((await once(onB, 'data'))[0])).toBe('b');
  gate.setTargets([b.address, a.address]);
  onB.write('still here');
  expect(String((await once(onB, 'data'))[0])).toBe('still here');
});

test('gate: a target that is not known yet is asked for at each connection', async () => {
  let target: string | undefined;
  const gate = await gateTo(() => (target === undefined ? [] : [target]));
  await client(gate.port).gone;
  target = (await echo('late')).address;
  expect(await greeting(gate.port)).toBe('late');
});

test('gate: cut resets what is open and what comes, until it is restored', async () => {
  const gate = await gateTo([(await echo('a')).address]);
  const before = client(gate.port);
  await once(before, 'data');
  gate.cut();
  await before.gone;
  await client(gate.port).gone;
  gate.restore();
  expect(await greeting(gate.port)).toBe('a');
});

test('gate: a stall keeps connections open and silent; what was sent meanwhile arrives when it is restored', async () => {
  const gate = await gateTo([(await echo('a')).address]);
  const before = client(gate.port);
  await once(before, 'data');
  gate.stall();
  const during = client(gate.port);
  const heard: string[] = [];
  for (const socket of [before, during]) socket.on('data', (chunk) => heard.push(String(chunk)));
  before.write('1');
  during.write('2');
  // Another way through shows that there was time enough for an answer.
  const direct = await gateTo([(await echo('x')).address]);
  for (let i = 0; i < 20; i += 1) await greeting(direct.port);
  expect(heard).toEqual([]);
  expect(before.destroyed || during.destroyed).toBe(false);
  gate.restore();
  await eventually(
    () => heard.join(''),
    (all) => ['1', '2', 'a'].every((part) => all.includes(part)) && all.length === 3,
  );
});

test('gate: a client that ends during a stall is let go afterwards, and closing ends everything', async () => {
  const gate = await gateTo([(await echo('a')).address]);
  const ended = client(gate.port);
  await once(ended, 'data');
  gate.stall();
  ended.end('bye');
  gate.restore();
  expect(await text(ended)).toBe('bye');
  await eventually(
    () => gate.connections,
    (open) => open === 0,
  );
  const open = client(gate.port);
  await once(open, 'data');
  await gate.close();
  await open.gone;
});
