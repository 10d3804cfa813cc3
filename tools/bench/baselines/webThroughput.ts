import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BaselineRun } from './on.ts';
import type { GeneratorAsked, GeneratorTold } from './web/generator.ts';
import type { ServerKind, ServersTold } from './web/servers.ts';

interface Throughput {
  perSecond: number;
  /** Milliseconds of processor that the server has used for a request: what its throughput is, were the client free. */
  serverCpuMs: number;
}

export interface WebThroughput {
  /** gRPC-Web, by the gateway's web server. */
  gatewayWeb: Throughput;
  /** The same handler over gRPC, by the gateway's grpc-js server. */
  gatewayGrpc: Throughput;
  /** gRPC-Web, by Connect's server for Node. */
  connectWeb: Throughput;
}

const KINDS: readonly ServerKind[] = ['gatewayWeb', 'gatewayGrpc', 'connectWeb'];
const CONNECTIONS = 32;
const START_DEADLINE_MS = 30_000;
/** Code is compiled while it runs. */
const WARM_UP_SHARE = 0.25;

/** Unary calls without any work behind them, over 32 connections: the servers in one process, who calls them in another. */
export async function webThroughput({ seconds, isStopped }: BaselineRun): Promise<WebThroughput> {
  const servers = start('servers.ts');
  const generator = start('generator.ts');
  try {
    const { ports } = await next<{ ports: Record<ServerKind, number> }>(servers);
    const measured: [ServerKind, Throughput][] = [];
    let answerBytes: number | undefined;
    for (const kind of KINDS) {
      const asked = { kind, port: ports[kind], connections: CONNECTIONS };
      await load(generator, { ...asked, seconds: seconds * WARM_UP_SHARE });
      const before = await cpuMs(servers);
      const { count, seconds: took, bytes } = await load(generator, { ...asked, seconds: isStopped() ? 0 : seconds });
      answerBytes ??= bytes;
      if (bytes !== answerBytes) throw new Error(`${kind} answers with ${bytes} bytes, the first server with ${answerBytes}`);
      measured.push([kind, { perSecond: count / took, serverCpuMs: ((await cpuMs(servers)) - before) / count }]);
    }
    return Object.fromEntries(measured) as unknown as WebThroughput;
  } finally {
    await Promise.all([stop(servers), stop(generator)]);
  }
}

function start(file: string): ChildProcess {
  return fork(join(import.meta.dirname, 'web', file), { execArgv: ['--disable-warning=ExperimentalWarning'] });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function load(generator: ChildProcess, asked: GeneratorAsked): Promise<GeneratorTold> {
  const told = next<GeneratorTold>(generator, START_DEADLINE_MS + asked.seconds * 1_000);
  generator.send(asked);
  const result = await told;
  if (result.error !== undefined) throw new Error(`${asked.kind}: ${result.error}`);
  return result;
}

async function cpuMs(servers: ChildProcess): Promise<number> {
  const told = next<Extract<ServersTold, { cpuMs: number }>>(servers);
  servers.send('cpu');
  return (await told).cpuMs;
}

/** @throws when the process does not tell anything in time, or ends */
async function next<T>(child: ChildProcess, deadlineMs = START_DEADLINE_MS): Promise<T> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const ended = once(child, 'exit', { signal }).then(([code]) =>
    Promise.reject(new Error(`a server of the measurement ended: ${code}`)),
  );
  const message = once(child, 'message', { signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]) });
  try {
    return (await Promise.race([message, ended]))[0] as T;
  } finally {
    waiting.abort();
    await Promise.allSettled([message, ended]);
  }
}
