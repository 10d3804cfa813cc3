/** What is known of a server from outside. */
export interface Monitored {
  readonly name: string;
  /** http://127.0.0.1:<port>, with /healthz and /jsz. */
  readonly monitorUrl: string;
}

/** What keeps a cluster from being whole, in words; and the server that it is about, when it is about one. */
export interface ClusterProblem {
  what: string;
  of?: string;
  /** The server's copy cannot be mended: it must lose its store and get everything from the others. */
  hasDiverged?: boolean;
}

/** What GET /jsz tells of a server's part in the cluster. */
interface JetStreamStatus {
  meta_cluster?: { leader?: string; cluster_size?: number; replicas?: { name: string }[] };
  account_details?: { stream_detail?: StreamStatus[] }[];
}

interface StreamStatus {
  name: string;
  state: { last_seq: number };
  /** Only the leader knows which copies are current. */
  cluster?: { leader?: string; replicas?: { name: string; current: boolean }[] };
}

/** A copy that is current is behind by a few messages. */
const DIVERGED_BY = 200;

/** @returns undefined when all servers have a leader, and every stream's copies are complete and say the same */
export async function problemOf(nodes: readonly Monitored[]): Promise<ClusterProblem | undefined> {
  const statuses = await Promise.all(nodes.map((node) => statusOf(node).catch((error) => String(error))));
  const streams = new Map<string, StreamStatus[]>();
  for (const [i, status] of statuses.entries()) {
    const name = nodes[i]?.name ?? '';
    if (typeof status === 'string') return { what: status, of: name };
    if (!status.meta_cluster?.leader) return { what: 'no leader' };
    streams.set(name, status.account_details?.flatMap((account) => account.stream_detail ?? []) ?? []);
  }
  const metas = statuses.flatMap((status) => (typeof status === 'string' ? [] : (status.meta_cluster ?? [])));
  const small = metas.find(({ cluster_size: size }) => size !== nodes.length);
  if (small !== undefined) {
    // Only the leader tells of the others.
    const known = metas.flatMap(({ leader = '', replicas = [] }) => [leader, ...replicas.map(({ name }) => name)]);
    const missing = nodes.find(({ name }) => !known.includes(name));
    return { what: `a cluster of ${small.cluster_size}`, ...(missing === undefined ? {} : { of: missing.name }) };
  }
  for (const [name, own] of streams) {
    for (const stream of own.filter(({ cluster }) => cluster?.leader === name)) {
      const problem = problemOfCopies(stream, streams);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function problemOfCopies(led: StreamStatus, streams: ReadonlyMap<string, StreamStatus[]>): ClusterProblem | undefined {
  for (const { name: of, current } of led.cluster?.replicas ?? []) {
    if (!current) return { what: `stream ${led.name} is not complete everywhere`, of };
    const copy = streams.get(of)?.find(({ name }) => name === led.name);
    if (copy !== undefined && led.state.last_seq - copy.state.last_seq > DIVERGED_BY)
      return { what: `${of} has another stream ${led.name} than its leader`, of, hasDiverged: true };
  }
  return undefined;
}

/** What GET /healthz says with details. */
interface Health {
  status: string;
  errors?: { consumer?: string; error: string }[];
}

/**
 * Consumers that clients make for their own reading in order, one copy each in memory: the client makes another when it is gone, and the
 * server that had it may remember it for minutes.
 */
const OF_ONE_CLIENT = /^oc_/;

/** The first thing amiss that is the cluster's; undefined when there is none. */
export function amissIn({ status, errors }: Health): string | undefined {
  if (errors === undefined) return status === 'ok' ? undefined : status;
  return errors.find(({ consumer }) => consumer === undefined || !OF_ONE_CLIENT.test(consumer))?.error;
}

async function statusOf({ monitorUrl }: Monitored): Promise<JetStreamStatus | string> {
  const get = (path: string) => fetch(`${monitorUrl}${path}`, { signal: AbortSignal.timeout(2_000) });
  const amiss = amissIn((await (await get('/healthz?details=true')).json()) as Health);
  if (amiss !== undefined) return amiss;
  return (await (await get('/jsz?accounts=true&streams=true')).json()) as JetStreamStatus;
}
