import type { Balance, NewTrade, Position, Trade } from '@stockbroker/trading';
import type * as prisma from '../src/generated/prisma/client.ts';

/**
 * Not a test that runs: it compiles while the domain's types are the rows of prisma/schema.prisma. The fields that differ stand in the
 * compiler's message. A difference that is wanted is left out by name: `Omit<prisma.Trade, 'internal'>`.
 */
export type Checked = [
  None<Differences<Trade, prisma.Trade>>,
  None<Differences<Balance, prisma.Balance>>,
  None<Differences<Position, prisma.Position>>,
  // Whatever has no default and may not be null is given when a trade is stored.
  None<Exclude<RequiredKeys<prisma.Prisma.TradeUncheckedCreateInput>, keyof NewTrade>>,
];

type None<Fields extends never> = Fields;

/** Fields that only one of them has, and those that differ in type, or in being optional or readonly. */
type Differences<A, B> =
  | Exclude<keyof A, keyof B>
  | Exclude<keyof B, keyof A>
  | { [Field in keyof A & keyof B]: Same<Pick<A, Field>, Pick<B, Field>> extends true ? never : Field }[keyof A & keyof B];

/** Identical for the compiler, not only assignable both ways. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type RequiredKeys<T> = { [Field in keyof T]-?: object extends Pick<T, Field> ? never : Field }[keyof T];
