import { userInfo } from 'node:os';
import type { Operator } from '@stockbroker/store/operate';
import { UserError } from '../cli.ts';
import type { Call } from './command.ts';

/** Options of every command that changes something by hand. */
export const OPERATOR_OPTIONS = { note: { type: 'string' }, operator: { type: 'string' } } as const;
export const OPERATOR_HELP = `  --note TEXT     the reason, kept on record, 1 to 300 characters
  --operator NAME who runs the command; default: OPERATOR, or the user of this machine`;

const MAX_NOTE = 300;

/** Who does it and why. @throws UserError without a note */
export function readOperator({ values, operator }: Pick<Call, 'values' | 'operator'>): Operator {
  const note = String(values.note ?? '').trim();
  if (note.length === 0 || note.length > MAX_NOTE) throw new UserError(`--note must say why, in 1 to ${MAX_NOTE} characters.`);
  return { operator: operatorName({ values, operator }), note };
}

export function operatorName({ values, operator }: Pick<Call, 'values' | 'operator'>): string {
  return String(values.operator ?? (operator || userInfo().username)).slice(0, 100);
}
