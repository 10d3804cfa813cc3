import type { LeaseSnapshot } from '@stockbroker/lease';
import { sleep } from '@stockbroker/runtime';
import { counted, UserError } from '../cli.ts';
import { type Call, duration, type OpsCommand, type Result } from './command.ts';

const HELP = `npm run ops -- drain <worker> [--wait]: hands all of a worker's partitions over to the other workers, each as soon as its work in
hand is done. The worker takes no more until it is restarted, and can be stopped without waiting for its leases to end. <worker> is its
name (WORKER_NAME) or its whole id, as npm run ops -- leases lists them.

  --wait          waits until the worker leads nothing; without it, until the worker announces that it is draining
  --timeout TIME  how long to wait; default 60s
  --force         drains the last worker too: then no worker leads its partitions, and trades wait
  --json, --data-dir, and the environment: see npm run ops -- --help

To undo it, restart the worker.
Exit code: 0 done, 1 not done in time, 2 wrong usage, or refused because this is the last worker, 3 NATS does not answer.
`;

const ASK_EVERY_MS = 250;

export const drain: OpsCommand = {
  help: HELP,
  options: {
    wait: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    timeout: { type: 'string', default: '60s' },
  },
  run: drainWorker,
};

async function drainWorker({ args, values, servers, say }: Call): Promise<Result> {
  const [wanted] = args;
  if (wanted === undefined || args.length > 1) throw new UserError('Usage: npm run ops -- drain <worker> [--wait]');
  const giveUpAt = performance.now() + duration('--timeout', String(values.timeout));
  const bucket = await servers.leases();
  const id = chooseWorker(await bucket.read(), wanted, values.force === true);
  for (let said = ''; ; ) {
    const { workers, leases } = await bucket.read();
    const worker = workers.find((each) => each.id === id);
    const leads = [...leases.values()].filter(({ holder }) => holder === id).length;
    const state = worker === undefined ? 'gone' : worker.draining ? 'draining' : 'alive';
    const done = state !== 'alive' && (values.wait !== true || leads === 0);
    const words = `${id} ${state === 'alive' ? 'was asked to drain' : state === 'gone' ? 'is gone' : 'drains'} and leads ${counted(leads, 'partition')}`;
    if (done || performance.now() >= giveUpAt) {
      const hint = leads === 0 && done ? ': it can be stopped' : '';
      return { attention: !done, text: `${words}${hint}.`, json: { worker: id, state, leads, done } };
    }
    if (words !== said) say(words);
    said = words;
    // Again and again: what a worker that is deaf for a moment did not hear is gone after the lifetime of a lease.
    if (state === 'alive') await bucket.askToDrain(id);
    await sleep(ASK_EVERY_MS);
  }
}

function chooseWorker({ workers }: LeaseSnapshot, wanted: string, force: boolean): string {
  const found = workers.filter(
    ({ id }) => id === wanted || (id.startsWith(`${wanted}-`) && /^[0-9a-f]{8}$/.test(id.slice(wanted.length + 1))),
  );
  const ids = workers.map(({ id }) => id).join(', ') || 'none';
  const [worker] = found;
  if (worker === undefined) throw new UserError(`There is no live worker ${JSON.stringify(wanted)}. Alive: ${ids}.`);
  if (found.length > 1)
    throw new UserError(`${found.length} workers have this name; give the whole id: ${found.map(({ id }) => id).join(', ')}.`);
  const others = workers.filter(({ id, draining }) => id !== worker.id && !draining);
  if (others.length === 0 && !worker.draining && !force) {
    throw new UserError(
      `${worker.id} is the last worker that takes part: nobody would lead its partitions. If that is wanted, add --force.`,
    );
  }
  return worker.id;
}
