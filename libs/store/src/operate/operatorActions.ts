import type { Database } from '../database.ts';
import { attempt } from '../errors.ts';

/** Who does something by hand, and why. */
export interface Operator {
  operator: string;
  note: string;
}

/**
 * Marks a quarantined callback as dealt with, and records who did it. No money moves.
 *
 * @returns false when there is no such row, or it is resolved already
 */
export async function resolveQuarantined(db: Database, id: bigint, { operator, note }: Operator): Promise<boolean> {
  const rows = await attempt(
    () => db.$queryRaw<unknown[]>`
      WITH resolved AS (
        UPDATE callback_quarantine SET resolved_at = now(), resolution = ${note}
        WHERE id = ${id} AND resolved_at IS NULL RETURNING id
      )
      INSERT INTO operator_actions (operator, action, subject, note)
      SELECT ${operator}, 'resolve', 'quarantine ' || id, ${note} FROM resolved RETURNING id`,
  );
  return rows.length === 1;
}

/**
 * Lets a customer buy again, and records who allowed it. No money moves.
 *
 * @param evenBelowZero also while the balance is less than what is held of it
 * @returns false when there is no such customer, or the buys are not blocked, or the balance forbids it
 */
export async function unblockAccount(
  db: Database,
  customerId: string,
  { operator, note }: Operator,
  { evenBelowZero }: { evenBelowZero: boolean },
): Promise<boolean> {
  const rows = await attempt(
    () => db.$queryRaw<unknown[]>`
      WITH unblocked AS (
        UPDATE balances SET buys_blocked = false, revision = revision + 1, last_modified = now()
        WHERE customer_id = ${customerId}::uuid AND buys_blocked AND (${evenBelowZero} OR (amount >= 0 AND amount >= held))
        RETURNING customer_id
      )
      INSERT INTO operator_actions (operator, action, subject, note)
      SELECT ${operator}, 'unblock', 'customer ' || customer_id, ${note} FROM unblocked RETURNING id`,
  );
  return rows.length === 1;
}

/** Records what was done by hand through the ordinary paths, which record nothing about people. */
export async function recordAction(db: Database, action: Operator & { action: string; subject: string }): Promise<void> {
  await attempt(() => db.operatorAction.create({ data: action }));
}

export interface OperatorActionRow extends Operator {
  id: bigint;
  doneAt: Date;
  action: string;
  subject: string;
}

/** What operators did, latest first. */
export function listOperatorActions(db: Database, limit: number): Promise<OperatorActionRow[]> {
  return attempt(() => db.operatorAction.findMany({ orderBy: { id: 'desc' }, take: limit }));
}
