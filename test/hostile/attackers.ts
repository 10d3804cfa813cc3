import { Status } from '@stockbroker/rpc';
import { type SeededRandom, sleep } from '@stockbroker/runtime';
import type { System } from '@stockbroker/testkit';
import fc from 'fast-check';
import { FRAMING_ATTACKS, MESSAGE_ATTACKS } from './callAttacks.ts';
import { type Callee, openCallees, type Server, type Sign } from './callees.ts';
import { openEdgeAttacks } from './edgeAttacks.ts';
import { anyFrames, FRAME_ATTACKS } from './frameAttacks.ts';
import { GrpcCaller } from './grpcCall.ts';
import { grpcMessage, HELLO, openRaw } from './http2Frames.ts';
import { HTTP_ATTACKS, statusOf } from './httpAttacks.ts';
import { mutated } from './mutate.ts';

export interface Attacked {
  system: System;
  sign: Sign;
  gateway: Server;
  gatewayWeb: Server;
  callback: Server;
  callbackHttp: Server;
  exchange: Server;
  /** Path of the HTTP callback. */
  path: string;
}

/** One attack, made with choices of its own. @returns what is wrong with how the server took it, if anything is */
export type Attack = (random: SeededRandom) => Promise<string | undefined>;

/** Floods are rare among the rest: each costs the server a second or so. */
const FLOOD = /flood|64 MB/;
/** What a request may be answered, however broken. */
const CLEAR: (number | undefined)[] = [
  Status.OK,
  Status.NOT_FOUND,
  Status.INVALID_ARGUMENT,
  Status.PERMISSION_DENIED,
  Status.RESOURCE_EXHAUSTED,
  Status.UNAUTHENTICATED,
  Status.UNAVAILABLE,
];

/** Every kind of attack, by name. */
export async function openAttacks(attacked: Attacked): Promise<Record<string, Attack>> {
  const { system, sign, gateway, callbackHttp, path } = attacked;
  const callees = await openCallees(system, sign, attacked);
  const servers = [attacked.gateway, attacked.callback, attacked.exchange];
  const all = [...servers, callbackHttp];
  const trade = callees[0] as Callee;
  const rarely = <T extends { name: string }>(random: SeededRandom, attacks: readonly T[]) => {
    const chosen = random.pick(attacks);
    return FLOOD.test(chosen.name) && random.chance(0.9) ? random.pick(attacks.filter(({ name }) => !FLOOD.test(name))) : chosen;
  };
  const send = async (server: Server, bytes: Uint8Array, lingerMs: number) => {
    const raw = await openRaw(server.port);
    raw.write(bytes);
    await Promise.race([raw.ended, sleep(lingerMs)]);
    raw.destroy();
  };
  const post = async (body: string | Buffer, headers: Record<string, string>) =>
    (await fetch(`http://${callbackHttp.address}${path}`, { method: 'POST', body, headers })).status;

  return {
    ...(await openEdgeAttacks(attacked)),
    frames: async (random) => {
      await send(random.pick(servers), rarely(random, FRAME_ATTACKS).bytes(random), 50);
      return undefined;
    },
    'frames in no order': async (random) => {
      await send(random.pick(servers), anyFrames(random), 50);
      return undefined;
    },
    calls: (random) =>
      withCaller(random.pick(callees), async (callee, caller) => {
        const attack = rarely(random, [...FRAMING_ATTACKS, ...MESSAGE_ATTACKS]);
        const { http, code } = await caller.call(attack.call(callee));
        return http === undefined ? `${attack.name}: ${callee.target.name} gave no answer (code ${code})` : undefined;
      }),
    messages: (random) =>
      withCaller(trade, async (callee, caller) => {
        const [bytes = Buffer.alloc(0)] = fc.sample(mutated(callee.message), { numRuns: 1, seed: random.below(2 ** 31) });
        const answer = await caller.call({ path: callee.path, headers: callee.headersFor(bytes), body: grpcMessage(bytes) });
        return CLEAR.includes(answer.code)
          ? undefined
          : `message ${bytes.toString('hex')} was answered ${answer.code} ${answer.message}`;
      }),
    tokens: (random) =>
      withCaller(trade, async (callee, caller) => {
        const authorization = `Bearer ${random.bytes(random.below(3_000)).toString('base64url')}.e30.${random.bytes(64).toString('base64url')}`;
        const { code } = await caller.call({ path: callee.path, headers: { authorization }, body: grpcMessage(callee.message) });
        return code === Status.UNAUTHENTICATED ? undefined : `a made-up token was answered ${code}`;
      }),
    'HTTP requests': async (random) => {
      const attack = random.pick(HTTP_ATTACKS);
      const status = await statusOf(callbackHttp.port, attack.text(path));
      // A flood at the same time may take longer than a request may.
      return status === attack.status || status === 408
        ? undefined
        : `${attack.name} was answered ${status}, not ${attack.status}`;
    },
    'unsigned callbacks': async (random) => {
      const body = JSON.stringify({ reports: [{ quantity: random.below(1_000), clientOrderId: crypto.randomUUID() }] });
      const headers = {
        ...sign(body, Date.now() - random.pick([0, 600_000])),
        'webhook-timestamp': String(random.below(2 ** 40)),
      };
      const status = await post(body, headers);
      return status === 401 ? undefined : `a re-dated callback was answered ${status}`;
    },
    'signed nonsense': async (random) => {
      const body = random.pick<string | Buffer>([
        '['.repeat(1 + random.below(50_000)),
        random.bytes(random.below(500)),
        '{"reports":[null]}',
        '{}',
      ]);
      const status = await post(body, sign(body));
      return status === 200 || status === 503 ? undefined : `signed nonsense was answered ${status}`;
    },
    'idle connections': async (random) => {
      const server = random.pick(all);
      const raws = await Promise.all(Array.from({ length: 40 }, () => openRaw(server.port)));
      if (server !== callbackHttp) for (const raw of raws) raw.write(random.pick([HELLO, HELLO.subarray(0, 10)]));
      else for (const raw of raws) raw.write(Buffer.from(`POST ${path} HTTP/1.1\r\ncontent-length: 10\r\n`));
      await sleep(200);
      for (const raw of raws) raw.destroy();
      return undefined;
    },
    'another’s trade': () =>
      withCaller({ ...trade, path: trade.path.replace('PlaceTrade', 'GetTrade'), target: gateway }, async (callee, caller) => {
        const id = Buffer.concat([Buffer.from([0x0a, 36]), Buffer.from(crypto.randomUUID())]);
        const { code } = await caller.call({
          path: callee.path,
          headers: callee.headersFor(id),
          body: grpcMessage(id),
        });
        return CLEAR.includes(code) ? undefined : `an unknown order id was answered ${code}`;
      }),
  };
}

async function withCaller<T>(callee: Callee, use: (callee: Callee, caller: GrpcCaller) => Promise<T>): Promise<T> {
  const caller = new GrpcCaller(callee.target.address);
  try {
    return await use(callee, caller);
  } finally {
    caller.close();
  }
}
