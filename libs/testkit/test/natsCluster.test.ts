import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, onTestFinished, test, vi } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { startNatsCluster } from '../src/natsCluster.ts';
import { amissIn } from '../src/natsHealth.ts';
import { processStart } from '../src/processTable.ts';
import { newFolder, occupy } from './servers.ts';

vi.setConfig({ testTimeout: 300_000 });

test('nats cluster: streams outlive one server killed, paused or emptied, and are lost with all stores', async () => {
  const cluster = await startNatsCluster({ dir: join(newFolder(), 'nats') });
  onTestFinished(() => cluster.kill());
  expect(cluster.urls.split(',')).toEqual(cluster.nodes.map(({ url }) => url));
  // Asks often whether its server is still there: a paused one stays connected.
  const impatient = { pingInterval: 200, maxPingOut: 2, maxReconnectAttempts: -1, reconnectTimeWait: 50 };
  const client = await connect({ servers: cluster.urls.split(','), ...impatient });
  onTestFinished(() => client.close());
  const manager = await jetstreamManager(client);
  // Just after a start the leader may not have heard of every server yet, and says so.
  const made = () =>
    manager.streams.add({ name: 'KEPT', subjects: ['kept.*'], num_replicas: 3 }).then(
      () => 'made',
      (error: Error) => error.message,
    );
  await eventually(made, (answer) => answer === 'made');
  let published = 0;
  const publish = async () => {
    const attempt = () => jetstream(client).publish('kept.x', '', { timeout: 1_000 });
    const done = () =>
      attempt().then(
        () => true,
        () => false,
      );
    await eventually(done, (ok) => ok, { what: 'a publication' });
    published += 1;
  };
  const [killed, paused, emptied] = cluster.nodes;
  if (killed === undefined || paused === undefined || emptied === undefined) throw new Error('the cluster is too small');
  await killed.kill();
  expect([killed.isRunning, killed.pid]).toEqual([false, undefined]);
  await publish();
  await killed.start();
  await cluster.untilHealthy();
  paused.pause();
  await publish();
  paused.resume();
  await emptied.wipe();
  await cluster.untilHealthy();
  await publish();
  const { state } = await manager.streams.info('KEPT');
  expect(state.messages).toBeGreaterThanOrEqual(published);

  await cluster.wipeAll();
  const names = () => manager.streams.names().next();
  const left = await eventually(
    () => names().catch(() => undefined),
    (found) => found !== undefined,
  );
  expect(left).toEqual([]);
  const pids = cluster.nodes.map(({ pid }) => pid ?? 0);
  await client.close();
  await cluster.stop();
  expect(pids.map((pid) => processStart(pid))).toEqual([undefined, undefined, undefined]);
});

test('nats cluster: a server whose port is taken says so in the end', async () => {
  const cluster = await startNatsCluster({ dir: join(newFolder(), 'nats') });
  onTestFinished(() => cluster.kill());
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error('the cluster is empty');
  await node.kill();
  await occupy(node.port);
  await expect(node.start(1_000)).rejects.toThrow(`port ${node.port} is taken`);
});

test('a consumer that one client had for itself does not make a cluster unhealthy, another one does', () => {
  const missing = (consumer: string) => ({ consumer, error: `consumer ${consumer} is not current: consumer not found` });
  const status = 'error';
  expect(amissIn({ status: 'ok' })).toBeUndefined();
  expect(amissIn({ status, errors: [missing('oc_T73xRxXH9rXegBjfbEJTnr_1')] })).toBeUndefined();
  expect(amissIn({ status, errors: [missing('oc_T73xRxXH9rXegBjfbEJTnr_1'), missing('worker-7')] })).toMatch('worker-7');
  expect(amissIn({ status, errors: [{ error: 'JetStream stream is not current' }] })).toBe('JetStream stream is not current');
  expect(amissIn({ status: 'unavailable' })).toBe('unavailable');
});

test('nats cluster: with another password clients lose their connections and are refused, also by a server that starts later', async () => {
  const login = { user: 'broker', password: 'right' };
  const cluster = await startNatsCluster({ dir: join(newFolder(), 'nats'), login });
  onTestFinished(() => cluster.kill());
  const [first, other] = cluster.nodes;
  if (first === undefined || other === undefined) throw new Error('the cluster is too small');
  const attempt = (servers: string) => {
    return connect({ servers, user: 'broker', pass: 'right', reconnect: false }).then(
      (client) => client,
      (error: Error) => error.message,
    );
  };
  const client = await attempt(first.url);
  if (typeof client === 'string') throw new Error(client);
  await other.kill();
  await cluster.demand({ ...login, password: 'changed' });
  await client.closed();
  await other.start();
  for (const { url } of [first, other]) expect(await attempt(url)).toMatch(/authorization/i);
  await cluster.demand(login);
  const again = await attempt(other.url);
  expect(typeof again).toBe('object');
  if (typeof again !== 'string') await again.close();
});
