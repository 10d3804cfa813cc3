import { PlainGrpc } from '../../plainGrpc.ts';
import type { Caller } from './generator.ts';
import type { CallsOptions } from './webCalls.ts';

/** A client has one connection for all its calls; a gateway has several clients. */
const CONNECTIONS = 4;

/** Callers that share a few connections. */
export async function grpcCalls({ port, path, message, connections }: CallsOptions): Promise<Caller[]> {
  const clients = Array.from({ length: Math.min(CONNECTIONS, connections) }, () => new PlainGrpc(`127.0.0.1:${port}`));
  return Array.from({ length: connections }, (_, i) => {
    const client = clients[i % clients.length] as PlainGrpc;
    return { call: () => client.call(path, message), close: () => client.close() };
  });
}
