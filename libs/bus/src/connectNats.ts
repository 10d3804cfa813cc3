import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { backoffMs, sleep } from '@stockbroker/runtime';
import type { NatsConfig } from './variables.ts';

const RETRY_MS = 200;
/** A server that refuses a certificate may say nothing. */
const HANDSHAKE_MS = 5_000;

/**
 * Connects in the background and stays connected: at the start and after every loss it tries again, for ever, also when its
 * credentials are refused. Until then the promise is pending; a process that can work without NATS does not wait for it.
 *
 * @param onProblem takes why an attempt of the first connection has failed; later ones are told by the connection's status
 */
export async function connectNats(
  config: NatsConfig,
  name: string,
  onProblem: (error: unknown) => void = () => {},
): Promise<NatsConnection> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await connect({ ...natsOptions(config), name });
    } catch (error) {
      onProblem(error);
      await sleep(backoffMs(failures, Math.random(), { maxMs: 1_000 }));
    }
  }
}

/** What a client of these servers is told; also for tools that do not wait for them. */
export function natsOptions(config: NatsConfig): ConnectionOptions {
  const { NATS_URL, NATS_CREDS_FILE: creds, NATS_CA_FILE: caFile, NATS_CERT_FILE: certFile, NATS_KEY_FILE: keyFile } = config;
  const files = { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
  const needsTls = NATS_URL.demandsTls || Object.keys(files).length > 0;
  return {
    servers: NATS_URL.servers,
    ...NATS_URL.login,
    // Read at each connection: the file may have been renewed.
    ...(creds && { authenticator: (nonce) => credsAuthenticator(readFileSync(creds))(nonce) }),
    ...(needsTls && { tls: files }),
    timeout: HANDSHAKE_MS,
    maxReconnectAttempts: -1,
    // By itself the client gives up for good when its credentials are refused twice, and nothing would say so.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RETRY_MS,
    reconnectJitter: RETRY_MS,
    pingInterval: 5_000,
    maxPingOut: 2,
    // An Error is otherwise made for each request, in case it fails: a tenth of what a gateway does.
    noAsyncTraces: true,
  };
}
