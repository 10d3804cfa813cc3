import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { reasonOf } from './reasonOf.ts';

/** Why a process is not ready, by the name of what is missing; undefined when that is fine. */
export type Readiness = () => Record<string, string | undefined>;

export interface AdminServer {
  port: number;
  close(): Promise<void>;
}

/**
 * What an operator's tools ask a process: `/livez` (the event loop turns), `/readyz` (503 with the reasons while it should get
 * no traffic) and `/metrics` (Prometheus text).
 */
export async function startAdmin(options: {
  host: string;
  port: number;
  registry: Registry;
  readiness: Readiness;
}): Promise<AdminServer> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const send = (status: number, type: string, body: string) => response.writeHead(status, { 'content-type': type }).end(body);
    const path = request.url?.split('?')[0];
    if (path === '/livez') {
      send(200, 'application/json', '{"status":"live"}');
    } else if (path === '/readyz') {
      const missing = Object.fromEntries(Object.entries(options.readiness()).filter(([, why]) => why !== undefined));
      const ready = Object.keys(missing).length === 0;
      send(ready ? 200 : 503, 'application/json', JSON.stringify({ status: ready ? 'ready' : 'not ready', missing }));
    } else if (path === '/metrics') {
      options.registry.metrics().then(
        (body) => send(200, options.registry.contentType, body),
        (error: unknown) => send(500, 'text/plain', reasonOf(error)),
      );
    } else {
      send(404, 'text/plain', 'try /livez, /readyz or /metrics\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
