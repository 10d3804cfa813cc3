import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { type Floor, floorOf } from './floor.ts';
import type { BaselineRun } from './on.ts';

/** About as long as a trade on the wire. */
const MESSAGE = Buffer.alloc(150, 'x');
const asIs = (bytes: Buffer) => bytes;

/** One unary call of grpc-js to a server of grpc-js, in a process of its own, that sends back what it gets. */
export async function echoFloor(on: BaselineRun): Promise<Floor> {
  const server = fork(join(import.meta.dirname, 'echoServer.ts'), { execArgv: ['--disable-warning=ExperimentalWarning'] });
  try {
    const [port] = (await once(server, 'message', { signal: AbortSignal.timeout(30_000) })) as [number];
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const echo = () =>
      new Promise<void>((resolve, reject) => {
        client.makeUnaryRequest('/bench.Echo/Echo', asIs, asIs, MESSAGE, (error, answer) => {
          if (error === null && answer?.length === MESSAGE.length) resolve();
          else reject(error ?? new Error('the echo is another message'));
        });
      });
    try {
      return await floorOf(on, echo);
    } finally {
      client.close();
    }
  } finally {
    const exited = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : undefined;
    server.kill('SIGKILL');
    await exited;
  }
}
