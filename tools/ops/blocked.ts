import { type BlockedAccount, listBlockedAccounts, unblockAccount } from '@stockbroker/store/operate';
import { formatUsd, uuidOf } from '@stockbroker/trading';
import { dollars, table, UserError, wholeNumber } from '../cli.ts';
import { type Call, moment, noArguments, type OpsCommand, type Result } from './command.ts';
import { OPERATOR_HELP, OPERATOR_OPTIONS, readOperator } from './operator.ts';

const NIL = '00000000-0000-0000-0000-000000000000';

export const blocked: OpsCommand = {
  help: `npm run ops -- blocked: accounts whose buys are blocked because a fill cost more than was held for it.

  --limit N       how many to list; default 100
  --after ID      only customers after this id, for the next page
  --json, --data-dir, and the environment: see npm run ops -- --help

Exit code: 0 no account is blocked, 1 some are, 2 wrong usage, 3 the database does not answer.
`,
  options: { limit: { type: 'string', default: '100' }, after: { type: 'string', default: NIL } },
  run: async ({ args, values, servers }) => {
    noArguments('blocked', args);
    const limit = wholeNumber('--limit', String(values.limit), { min: 1, max: 10_000 });
    const after = customerIdOf(String(values.after));
    const accounts = await listBlockedAccounts(await servers.db(), { after, limit });
    const full = accounts.length === limit ? `\nMore, perhaps: --after ${accounts.at(-1)?.customerId}` : '';
    const text = accounts.length === 0 ? 'No account is blocked.' : `${table([HEAD, ...accounts.map(row)], [1, 2])}${full}`;
    return { attention: accounts.length > 0, text, json: { accounts: accounts.map(withMoney) } };
  },
};

const HEAD = ['customer', 'cash', 'held', 'last changed', 'overdrawn by trade'];

function row({ customerId, amount, held, lastModified, overdrawnBy }: BlockedAccount): string[] {
  return [customerId, dollars(formatUsd(amount)), dollars(formatUsd(held)), moment(lastModified), overdrawnBy ?? ''];
}

function withMoney(account: BlockedAccount) {
  return { ...account, amount: formatUsd(account.amount), held: formatUsd(account.held) };
}

export const unblock: OpsCommand = {
  help: `npm run ops -- unblock <customer> --note "...": lets a customer buy again, once an operator has checked the overdrawn fill.
No money moves. An account below zero, or below what is held of it, stays blocked until its cash is corrected.

${OPERATOR_HELP}
  --force         unblocks the account even while it is below zero
  --json, --data-dir, and the environment: see npm run ops -- --help

Exit code: 0 the customer can buy (also when the account was not blocked), 1 still blocked, 2 wrong usage, 3 the database does not
answer.
`,
  options: { ...OPERATOR_OPTIONS, force: { type: 'boolean', default: false } },
  run: unblockCustomer,
};

async function unblockCustomer({ args, values, servers, operator: who }: Call): Promise<Result> {
  const customerId = customerIdOf(args[0]);
  const operator = readOperator({ values, operator: who });
  const db = await servers.db();
  const changed = await unblockAccount(db, customerId, operator, { evenBelowZero: values.force === true });
  const { readAccounts } = await import('@stockbroker/store');
  const [account] = await readAccounts(db, [customerId]);
  if (account == null) throw new UserError(`There is no account ${customerId}.`);
  const { amount, held, buysBlocked } = account;
  const figures = `cash ${dollars(formatUsd(amount))}, of which ${dollars(formatUsd(held))} held`;
  const text = changed
    ? `${customerId} can buy again: ${figures}. Recorded for ${operator.operator}.`
    : buysBlocked
      ? `${customerId} stays blocked: ${figures}. Put its cash right first, or add --force.`
      : `${customerId} was not blocked: ${figures}.`;
  const json = {
    customerId,
    changed,
    buysBlocked,
    amount: formatUsd(amount),
    held: formatUsd(held),
    operator: operator.operator,
  };
  return { attention: buysBlocked, text, json };
}

function customerIdOf(text: string | undefined): string {
  const customerId = uuidOf(text ?? '');
  if (customerId !== undefined) return customerId;
  throw new UserError(`A customer is a UUID, not ${JSON.stringify(text ?? '')}.`);
}
