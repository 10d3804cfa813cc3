/** Runs what is asked for under the same name one after the other. */
export function inTurns(): <T>(name: string, run: () => Promise<T>) => Promise<T> {
  const latest = new Map<string, Promise<unknown>>();
  return async (name, run) => {
    const mine = after(latest.get(name), run);
    latest.set(name, mine);
    try {
      return await mine;
    } finally {
      if (latest.get(name) === mine) latest.delete(name);
    }
  };
}

async function after<T>(before: Promise<unknown> | undefined, run: () => Promise<T>): Promise<T> {
  await before?.catch(() => {}); // Told to whoever asked for it.
  return run();
}
