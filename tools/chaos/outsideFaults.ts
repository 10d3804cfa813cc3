import { setTimeout as delay } from 'node:timers/promises';
import { withClient } from '@stockbroker/testkit/processes';
import { type Action, ifFree, type Make, nothing, type Scene } from './action.ts';

/** How many customers' balances are locked at once. */
const LOCKED_ROWS = 3;
/** Those whose locks hold up different statements. */
const LOCKED_TABLES = ['balances', 'trades', 'open_trades', 'positions', 'partition_leases', 'callback_quarantine'];

/** A transaction that somebody forgot: it holds what it has locked until the fault ends, or the primary dies with it. */
function holding(target: string, lock: (scene: Scene) => string): Make {
  return (scene) => {
    const over = Promise.withResolvers<void>();
    const action: Action = { target, locks: [target], begin: nothing, end: nothing };
    let held: Promise<void> | undefined;
    action.begin = async () => {
      const begun = Promise.withResolvers<void>();
      held = withClient(scene.world.servers.databaseUrl, async (client) => {
        await client.query('BEGIN');
        // It may itself come too late: then it has locked nothing.
        await client.query("SET LOCAL lock_timeout = '2s'");
        const { rows } = await client.query<{ customer_id: string }>(lock(scene));
        if (rows.length > 0) action.target = `balances of ${rows.map((row) => row.customer_id).join(', ')}`;
        begun.resolve();
        await over.promise;
        await client.query('ROLLBACK');
      }).catch(nothing); // The primary was killed, or is away: that ends every transaction.
      await Promise.race([begun.promise, held]);
    };
    action.end = async () => {
      over.resolve();
      await held;
    };
    return ifFree(scene, action);
  };
}

export const lockRows = holding(
  `${LOCKED_ROWS} balances`,
  ({ choice }) =>
    `SELECT customer_id FROM balances WHERE customer_id IN (
      SELECT customer_id FROM balances ORDER BY customer_id OFFSET floor(${choice} * (SELECT count(*) FROM balances)) LIMIT ${LOCKED_ROWS}
    ) FOR UPDATE`,
);

export const lockTable = holding(
  'a table',
  ({ choice }) => `LOCK TABLE ${LOCKED_TABLES[Math.floor(choice * LOCKED_TABLES.length)]} IN ACCESS EXCLUSIVE MODE`,
);

/** PostgreSQL's own switch for it: sessions that write are refused until it is taken back. */
export const readOnly: Make = (scene) => {
  const { postgres } = scene.world.servers;
  const action: Action = {
    target: 'the primary',
    locks: ['postgres'],
    begin: () => postgres.setReadOnly(true),
    end: () => postgres.setReadOnly(false),
  };
  return postgres.isWhole ? ifFree(scene, action) : undefined;
};

/** The operator does not come, or hopes for the standby: nothing is lost, and nothing is acknowledged. */
export const waitForStandby: Make = (scene) => {
  const { postgres } = scene.world.servers;
  const action: Action = {
    target: 'the standby',
    locks: ['postgres'],
    begin: () => postgres.killStandby(),
    end: () => postgres.startStandby(),
  };
  return postgres.isWhole ? ifFree(scene, action) : undefined;
};

const AT_ONCE = 4;

/** Somebody's program asks for all of its trades, page after page, in several loops at once. */
export const longHistory: Make = (scene) => {
  const over = new AbortController();
  let asking: Promise<unknown> = Promise.resolve();
  const ask = async (lane: number) => {
    while (!over.signal.aborted) {
      await scene.traffic.hoarder.listPage(lane).catch(nothing); // The gateway is away, or refuses so many calls.
      await delay(5);
    }
  };
  const begin = async () => {
    asking = Promise.all(Array.from({ length: AT_ONCE }, (_, lane) => ask(lane)));
  };
  const end = async () => {
    over.abort();
    await asking;
  };
  return ifFree(scene, { target: 'the customer with the most trades', locks: ['a hoarder'], begin, end });
};
