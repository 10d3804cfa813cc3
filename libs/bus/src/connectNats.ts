import { connect, type NatsConnection } from '@nats-io/transport-node';

/**
 * Connects in the background and stays connected: at the start and after every loss it tries again, for ever. Until then the
 * promise is pending; a process that can work without NATS does not wait for it.
 *
 * @param servers nats:// URLs, separated by commas
 */
export function connectNats(servers: string, name: string): Promise<NatsConnection> {
  return connect({
    servers: servers.split(','),
    name,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 200,
    pingInterval: 5_000,
    maxPingOut: 2,
    // An Error is otherwise made for each request, in case it fails: a tenth of what a gateway does.
    noAsyncTraces: true,
  });
}
