import { listOperatorActions } from '@stockbroker/store/operate';
import { table, wholeNumber } from '../cli.ts';
import { moment, noArguments, type OpsCommand } from './command.ts';

export const actions: OpsCommand = {
  help: `npm run ops -- actions: what operators did by hand, latest first: who, when, to what, and why. This record never changes.

  --limit N       how many; default 50
  --json, --data-dir, and the environment: see npm run ops -- --help

Exit code: 0 listed, 2 wrong usage, 3 the database does not answer.
`,
  options: { limit: { type: 'string', default: '50' } },
  run: async ({ args, values, servers }) => {
    noArguments('actions', args);
    const limit = wholeNumber('--limit', String(values.limit), { min: 1, max: 10_000 });
    const done = await listOperatorActions(await servers.db(), limit);
    const rows = done.map(({ doneAt, operator, action, subject, note }) => [moment(doneAt), operator, action, subject, note]);
    const text = rows.length === 0 ? 'Nothing yet.' : table([['when', 'who', 'what', 'to', 'why'], ...rows]);
    return { attention: false, text, json: { actions: done } };
  },
};
