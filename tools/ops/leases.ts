import type { LeaseSnapshot } from '@stockbroker/lease';
import { sleep } from '@stockbroker/runtime';
import { readPartitionLeases } from '@stockbroker/store/operate';
import { counted, table } from '../cli.ts';
import { type Call, CannotTellError, duration, moment, noArguments, type OpsCommand, type Result } from './command.ts';
import { joinStates, Looks, loads, type PartitionState, spread, type WorkerLoad } from './leaseState.ts';

const HELP = `npm run ops -- leases: which worker leads which partitions, and since when.

  --partitions      one line for each partition, with its epoch, instead of one for each worker
  --patience TIME   how long a partition may be wrong before it counts, because partitions change hands; default 5s
  --json, --data-dir, and the environment: see npm run ops -- --help

A partition is wrong when no worker has its lease (in JetStream), when the lease and the fence (the epoch in PostgreSQL) name different
workers, or when its leader keeps changing; each is checked at least twice. "Since" is when the leader raised the epoch.

Exit code: 0 every partition has a stable leader, 1 some are wrong for longer than --patience, 2 wrong usage, 3 PostgreSQL or NATS does not answer.
`;

const LOOK_EVERY_MS = 250;

export const leases: OpsCommand = {
  help: HELP,
  options: { partitions: { type: 'boolean', default: false }, patience: { type: 'string', default: '5s' } },
  run: async ({ args, values, servers }) => {
    noArguments('leases', args);
    const { states, snapshot, wrong } = await look(servers, duration('--patience', String(values.patience)));
    const workers = loads(states, snapshot);
    const text = [
      values.partitions === true ? partitionTable(states) : workerTable(workers),
      '',
      ...wrong.map(problemOf),
      summary(workers, states),
    ].join('\n');
    const json = {
      workers,
      spread: spread(workers),
      partitions: states,
      withoutLeader: wrong.filter(({ problem }) => problem === 'no-leader').map(({ partition }) => partition),
      disagreeing: wrong.filter(({ problem }) => problem === 'disagree').map(({ partition }) => partition),
      moving: wrong.filter(({ problem }) => problem === 'moving').map(({ partition }) => partition),
    } satisfies Record<string, unknown>;
    return { attention: wrong.length > 0, text, json } satisfies Result;
  },
};

function problemOf({ partition, problem, leader, fencedBy, epoch }: PartitionState): string {
  if (problem === 'no-leader') return `partition ${partition}: nobody leads it; last ${fencedBy || 'nobody'}`;
  if (problem === 'moving') return `partition ${partition}: it changes its leader again and again; its epoch is ${epoch} by now`;
  return `partition ${partition}: ${leader} has the lease, but ${fencedBy || 'nobody'} raised the epoch last`;
}

interface Look {
  states: PartitionState[];
  snapshot: LeaseSnapshot;
  wrong: PartitionState[];
}

/** Looks again and again until all is well and quiet, or patience ends. */
async function look(servers: Call['servers'], patienceMs: number): Promise<Look> {
  const giveUpAt = performance.now() + patienceMs;
  const [db, bucket] = await Promise.all([servers.db(), servers.leases()]);
  for (const looks = new Looks(); ; await sleep(LOOK_EVERY_MS)) {
    const [fences, snapshot] = await Promise.all([readPartitionLeases(db), bucket.read()]);
    if (fences.length === 0) throw new CannotTellError('The database has no partitions yet: npm run db:migrate');
    const states = joinStates(fences, snapshot);
    looks.add(states);
    if (looks.isQuiet || performance.now() >= giveUpAt) return { states, snapshot, wrong: looks.wrong };
  }
}

function workerTable(workers: WorkerLoad[]): string {
  const rows = workers.map(({ id, draining, alive, partitions, since }) => [
    id,
    alive ? (draining ? 'draining' : 'alive') : 'silent',
    String(partitions.length),
    since === null ? '' : moment(since.first),
    since === null ? '' : moment(since.last),
  ]);
  return table([['worker', 'state', 'leads', 'first since', 'last since'], ...rows], [2]);
}

function partitionTable(states: PartitionState[]): string {
  const rows = states.map(({ partition, leader, epoch, fencedBy, since, problem }) => [
    String(partition),
    leader ?? '-',
    String(epoch),
    fencedBy || '-',
    moment(since),
    problem ?? '',
  ]);
  return table([['partition', 'lease', 'epoch', 'raised by', 'since', ''], ...rows], [0, 2]);
}

function summary(workers: WorkerLoad[], states: PartitionState[]): string {
  const even = spread(workers);
  const shares = even === null ? '' : `, ${even.least} to ${even.most} each`;
  const led = states.filter(({ problem }) => problem === null).length;
  const partitions = led === states.length ? counted(led, 'partition') : `${led} of ${counted(states.length, 'partition')}`;
  return `${partitions} led by ${counted(workers.filter((worker) => worker.partitions.length > 0).length, 'worker')}${shares}.`;
}
