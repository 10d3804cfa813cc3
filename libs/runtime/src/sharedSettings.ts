/** A shared store is not as this process needs it, and cannot be changed. The message says what to do. */
export class SharedSettingsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SharedSettingsError';
  }
}

/** Something with settings that outlive the process that wrote them, e.g. a stream. */
export interface Shared {
  /** For people: "the stream TRADES". */
  what: string;
  /** What it has, by the names of the settings. */
  read(): Promise<Record<string, unknown>>;
  /** Gives it what is wanted. */
  change(): Promise<unknown>;
  /** Whether the store has answered that it will not, rather than not answered. */
  isRefusal(error: unknown): boolean;
  /** Ends the sentence of a refusal: what to do. */
  remedy: string;
}

/**
 * Settings kept in a shared store are compared at each start, and changed.
 *
 * @throws SharedSettingsError when the store refuses, or has others afterwards all the same
 */
export async function ensureSettings(shared: Shared, wanted: Record<string, unknown>): Promise<void> {
  const before = differences(await shared.read(), wanted);
  if (before.length === 0) return;
  try {
    await shared.change();
  } catch (error) {
    if (!shared.isRefusal(error)) throw error;
    throw new SharedSettingsError(
      `${sentence(shared.what, before)} NATS refuses the change (${(error as Error).message}): ${shared.remedy}`,
      {
        cause: error,
      },
    );
  }
  const after = differences(await shared.read(), wanted);
  if (after.length > 0)
    throw new SharedSettingsError(`${sentence(shared.what, after)} It stays so when it is changed: ${shared.remedy}`);
}

/**
 * A server that is alone takes the setting of more copies, and keeps one.
 *
 * @param cluster of the server, as it tells its clients
 * @throws SharedSettingsError when it has none, and more than one copy is wanted
 */
export function checkReplicas(replicas: number, cluster: string | undefined): void {
  if (replicas === 1 || cluster) return;
  throw new SharedSettingsError(
    `NATS_REPLICAS is ${replicas}, but the NATS server is not one of a cluster and keeps 1: set NATS_REPLICAS=1, or let NATS_URL name a cluster.`,
  );
}

function differences(has: Record<string, unknown>, wanted: Record<string, unknown>) {
  return Object.entries(wanted)
    .map(([setting, value]) => ({ setting, has: JSON.stringify(has[setting]), wanted: JSON.stringify(value) }))
    .filter((each) => each.has !== each.wanted);
}

function sentence(what: string, found: ReturnType<typeof differences>): string {
  const each = found.map(({ setting, has, wanted }) => `${setting} is ${wanted}, but ${what} has ${has}`);
  return `${each.join('; ')}.`;
}

/** The key in the metadata of streams and buckets that names the database whose broker they are of. */
export const IDENTITY_KEY = 'stockbroker-database';

/** @throws SharedSettingsError when it is another broker's */
export function checkIdentity(what: string, metadata: Record<string, string> | undefined, database: string): void {
  const owner = metadata?.[IDENTITY_KEY];
  if (owner === undefined || owner === database) return;
  throw new SharedSettingsError(
    `${what} on NATS is of the broker with the database ${owner}, and this process has the database ${database}: ` +
      'give one of the two brokers a NATS_PREFIX of its own; if that database is gone for good, delete the stream.',
  );
}
