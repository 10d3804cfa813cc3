import { randomUUID } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connectNats, natsAt, wakeupStreamSettings } from '@stockbroker/bus';
import { type Floor, floorOf } from './floor.ts';
import type { BaselineRun } from './on.ts';

/** One wake-up published and acknowledged, on a stream with the settings of ours. */
export async function publishFloor(on: BaselineRun): Promise<Floor> {
  const connection = await connectNats(natsAt(on.natsUrl), 'bench');
  try {
    const name = `bench-${randomUUID()}`;
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ ...wakeupStreamSettings(1), name, subjects: [`${name}.*`] });
    const client = jetstream(connection);
    const customerId = randomUUID();
    try {
      return await floorOf(on, () => client.publish(`${name}.7`, customerId));
    } finally {
      await manager.streams.delete(name);
    }
  } finally {
    await connection.close();
  }
}
