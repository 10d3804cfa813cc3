import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OrderJournal, PendingOrder } from './orderJournal.ts';

/** In a folder of files, one for each order, for programs in Node. */
export function fileJournal(folder: string): OrderJournal {
  const fileOf = (clientOrderId: string) => join(folder, `${encodeURIComponent(clientOrderId)}.json`);
  return {
    put: async (order) => {
      await mkdir(folder, { recursive: true });
      const file = fileOf(order.clientOrderId);
      const unfinished = `${file}.${process.pid}`;
      // On the disk before it has its name: after a power cut there is the whole order or none.
      await using handle = await open(unfinished, 'w', 0o600);
      await handle.writeFile(JSON.stringify(order));
      await handle.sync();
      await rename(unfinished, file);
      await using names = await open(folder);
      await names.sync();
    },
    remove: (clientOrderId) => rm(fileOf(clientOrderId), { force: true }),
    list: async () => {
      await mkdir(folder, { recursive: true });
      const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
      const texts = await Promise.all(names.map((name) => textOf(join(folder, name))));
      const orders = texts.filter((text) => text !== undefined).map((text) => JSON.parse(text) as PendingOrder);
      return orders.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
    },
  };
}

/** Undefined when it has been removed meanwhile. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
