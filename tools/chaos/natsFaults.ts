import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { busNames, natsAt, natsOptions } from '@stockbroker/bus';
import { KEYS_KEPT_MS, leaseBucketName } from '@stockbroker/lease';
import { eventually } from '@stockbroker/testkit';
import { ifFree, type Make, nothing } from './action.ts';
import { LOGIN, type Servers } from './servers.ts';

const NANOS_PER_MS = 1_000_000;
const PUT_RIGHT_MS = 60_000;
const LEASES = `KV_${leaseBucketName('')}`;

/** As when somebody has changed the password too early: nobody has the new one. */
export const refuseLogin: Make = (scene) => {
  const { nats } = scene.world.servers;
  return ifFree(scene, {
    target: 'all of nats',
    locks: ['nats'],
    begin: () => nats.demand({ ...LOGIN, password: 'changed' }),
    end: () => nats.demand(LOGIN),
  });
};

/** What somebody makes of a stream. */
const CHANGES = [
  { stream: LEASES, settings: { max_age: 0 } },
  { stream: LEASES, settings: { max_age: 60_000 * NANOS_PER_MS } },
  { stream: LEASES, settings: { max_age: 500 * NANOS_PER_MS, duplicate_window: 500 * NANOS_PER_MS } },
  { stream: LEASES, settings: { max_msgs_per_subject: 5 } },
  { stream: busNames('').wakeupStream, settings: { max_msgs: 10 } },
  { stream: busNames('').wakeupStream, settings: { max_age: 1_000 * NANOS_PER_MS, duplicate_window: 1_000 * NANOS_PER_MS } },
];

/** The settings are left to the workers to put right, and are looked at when everything is healed. */
export const resettle: Make = (scene) => {
  const { servers } = scene.world;
  const change = CHANGES[Math.floor(scene.choice * CHANGES.length)];
  if (change === undefined) return undefined;
  const [setting] = Object.entries(change.settings).map(([name, value]) => `${name} ${value}`);
  const begin = () =>
    withNats(servers, async (connection) => {
      const manager = await jetstreamManager(connection);
      const { config } = await manager.streams.info(change.stream);
      await manager.streams.update(change.stream, { ...config, ...change.settings });
    }).catch(unlessInvalid);
  return ifFree(scene, { target: `${change.stream}: ${setting}`, locks: ['nats'], begin, end: nothing });
};

const INVALID_CONFIGURATION = 10052;

/** NATS is away, or only just back: then there is nothing to change. But a change that it can never take would be none. */
function unlessInvalid(error: unknown): void {
  if (error instanceof JetStreamApiError && error.code === INVALID_CONFIGURATION) throw error;
}

/** @throws Error when the workers have not put the leases' settings right after a while */
export async function untilSettled(servers: Servers): Promise<void> {
  await eventually(
    () => leaseSettings(servers).catch((error: unknown) => String(error)),
    (found) => typeof found === 'object' && found.max_age >= KEYS_KEPT_MS * NANOS_PER_MS && found.max_msgs_per_subject === 1,
    { what: 'a bucket of leases with the settings that workers need', deadlineMs: PUT_RIGHT_MS },
  );
}

function leaseSettings(servers: Servers) {
  return withNats(servers, async (connection) => {
    const { config } = await (await jetstreamManager(connection)).streams.info(LEASES);
    return { max_age: config.max_age, max_msgs_per_subject: config.max_msgs_per_subject };
  });
}

async function withNats<T>({ natsUrl }: Servers, use: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = await connect({ ...natsOptions(natsAt(natsUrl)), name: 'chaos', reconnect: false });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}
