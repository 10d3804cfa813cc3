import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { repeatedly } from '../on.ts';
import { grpcCalls } from './grpcCalls.ts';
import type { ServerKind } from './servers.ts';
import { webCalls } from './webCalls.ts';

/** Calls one at a time. */
export interface Caller {
  /** Resolves with the answer's message. @throws when it is anything but a success */
  call(): Promise<Buffer>;
  close(): void;
}

export interface GeneratorAsked {
  kind: ServerKind;
  port: number;
  connections: number;
  seconds: number;
}

export interface GeneratorTold {
  count: number;
  seconds: number;
  /** Of the answers' messages: the same of every server. */
  bytes: number;
  /** Why it failed. */
  error?: string;
}

/** A process that calls a server from many connections, each with one call under way. What it sends is made once, and answers are hardly read. */
const PATH = '/stockbroker.v1.TradingService/GetAccount';
const REQUEST = Buffer.from(new BinaryWriter().uint32(10).string('c8a1f6f0-3d64-4c7e-9a55-0f6f3a3d1c11').finish());

process.on('message', (asked: GeneratorAsked) => {
  void run(asked)
    .catch((error: Error): GeneratorTold => ({ count: 0, seconds: 0, bytes: 0, error: error.message }))
    .then((told) => process.send?.(told));
});
process.on('disconnect', () => process.exit());

async function run({ kind, port, connections, seconds }: GeneratorAsked): Promise<GeneratorTold> {
  const open = kind === 'gatewayGrpc' ? grpcCalls : webCalls;
  const callers = await open({ port, path: PATH, message: REQUEST, connections });
  try {
    let bytes = 0;
    const loops = callers.map((caller) =>
      repeatedly({ seconds, isStopped: () => false }, async () => {
        bytes = (await caller.call()).length;
      }),
    );
    const done = await Promise.all(loops);
    const count = done.reduce((sum, each) => sum + each.count, 0);
    return { count, seconds: Math.max(...done.map((each) => each.seconds)), bytes };
  } finally {
    for (const caller of callers) caller.close();
  }
}
