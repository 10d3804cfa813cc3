import { Status } from '@stockbroker/rpc';
import { SeededRandom } from '@stockbroker/runtime';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Arena, openArena, type Target } from './arena.ts';
import { type CallAttack, FRAMING_ATTACKS, MESSAGE_ATTACKS, NO_PROTOBUF } from './callAttacks.ts';
import { type Callee, openCallees } from './callees.ts';
import { anyFrames, FRAME_ATTACKS } from './frameAttacks.ts';
import { type GrpcAnswer, GrpcCaller } from './grpcCall.ts';
import { grpcMessage, openRaw } from './http2Frames.ts';
import { mutated } from './mutate.ts';

let arena: Arena;
let callees: Callee<Target>[];
beforeAll(async () => {
  arena = await openArena();
  callees = await openCallees(arena.broker.system, arena.sign, arena);
});
afterAll(() => arena.close({}));

test.each(FRAME_ATTACKS.map((attack) => [attack.name, attack.server, attack] as const))(
  'HTTP/2: %s: the server %s, and serves others',
  async (name, server, attack) => {
    await Promise.all(
      callees.map(async ({ target: { port, good } }) => {
        const raw = await openRaw(port, { reads: !name.includes('not read') });
        raw.write(attack.bytes(new SeededRandom(1)));
        if (server === 'ends it') await raw.ended;
        await good();
        raw.destroy();
      }),
    );
    await arena.expectUnharmed();
  },
);

test('HTTP/2: frames in no order, most of them wrong, harm nobody', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const raw = await openRaw(callees[seed % callees.length]?.target.port ?? 0);
    raw.write(anyFrames(new SeededRandom(seed)));
    raw.socket.end();
    // The server has read all of it when it has answered the end, whatever it thought of it.
    await raw.ended;
    if (seed % 20 === 0) await arena.expectUnharmed().catch((error: unknown) => expect.fail(`seed ${seed}: ${String(error)}`));
  }
});

const GOOD: Record<string, Partial<GrpcAnswer>> = {
  gateway: { code: Status.NOT_FOUND },
  callback: { code: Status.OK },
  exchange: { code: Status.INVALID_ARGUMENT, message: 'orders must have 1 to 1000 entries, but has 0' },
};

async function attack(which: CallAttack, expected: (callee: Callee<Target>) => Partial<GrpcAnswer>): Promise<void> {
  for (const callee of callees) {
    const caller = new GrpcCaller(callee.target.address);
    expect(await caller.call(which.call(callee)), callee.target.name).toMatchObject(expected(callee));
    caller.close();
  }
}

test.each(FRAMING_ATTACKS.map((each) => [each.name, each] as const))('gRPC: %s has its answer', async (_name, each) => {
  await attack(each, ({ target: { name } }) => (each.answer === 'as good' ? (GOOD[name] ?? {}) : each.answer));
  await arena.expectUnharmed();
});

test.each(MESSAGE_ATTACKS.map((each) => [each.name, each] as const))(
  'protobuf: %s is INVALID_ARGUMENT, but of a signed callback that cannot be read it is kept and gets a success',
  async (_name, each) => {
    await arena.broker.db.callbackQuarantine.deleteMany({});
    const isBad = each.answer === NO_PROTOBUF;
    await attack(each, ({ target: { name } }) => (isBad && name !== 'callback' ? NO_PROTOBUF : (GOOD[name] ?? {})));
    await arena.expectUnharmed({ quarantined: isBad ? 1 : 0 });
    await arena.broker.db.callbackQuarantine.deleteMany({});
  },
);

test('protobuf: the same unsigned is UNAUTHENTICATED, and nothing is kept', async () => {
  const caller = new GrpcCaller(arena.callback.address);
  const answer = await caller.call({ path: '/exchange.v1.CallbackService/ReportOrders', body: grpcMessage(Buffer.alloc(3)) });
  expect(answer).toMatchObject({ code: Status.UNAUTHENTICATED });
  caller.close();
  await arena.expectUnharmed();
});

/** What a request may be answered: never INTERNAL, UNKNOWN or nothing. */
const CLEAR = [Status.NOT_FOUND, Status.INVALID_ARGUMENT, Status.PERMISSION_DENIED, Status.RESOURCE_EXHAUSTED];

test('protobuf: a good trade with bytes changed, cut, doubled or put in has a clear answer, each time', async () => {
  const callee = callees[0] as Callee<Target>;
  const caller = new GrpcCaller(callee.target.address);
  await fc.assert(
    fc.asyncProperty(mutated(callee.message), async (bytes) => {
      const answer = await caller.call({ path: callee.path, headers: callee.headersFor(bytes), body: grpcMessage(bytes) });
      expect(CLEAR).toContain(answer.code);
      expect(answer.message).not.toMatch(/SELECT|INSERT|\bat \/|node_modules|\.ts\b|Error:/);
    }),
    { numRuns: 300 },
  );
  caller.close();
  await arena.expectUnharmed();
});
