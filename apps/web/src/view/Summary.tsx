import { useComputed } from '@preact/signals';
import { dollars, usdOf } from '../money.ts';
import { holdingsOf, totalOf } from '../state/holdings.ts';
import { BLOCKED_WORDS } from '../words.ts';
import { useDesk } from './context.ts';
import { Skeleton } from './parts.tsx';

/** What the customer has, at a glance. */
export function Summary() {
  const desk = useDesk();
  const account = desk.account.value;
  const total = useComputed(() => {
    const known = desk.account.value;
    return known && totalOf(known, holdingsOf(known, desk.quotes.value, undefined));
  });
  // Each stream of quotes begins with all that there are.
  const isKnowable = total.value !== undefined || desk.quotesFeed.connection.value === 'connecting';
  const figures = [
    ['Account value', account === undefined || isKnowable ? total.value : 'Not known'],
    ['Spendable cash', usdOf(account?.spendable)],
    ['Held for open buys', usdOf(account?.held)],
  ] as const;
  return (
    <section class="summary" aria-label="Account">
      <dl>
        {figures.map(([name, amount]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{amount === undefined ? <Skeleton width="10ch" /> : typeof amount === 'string' ? amount : dollars(amount)}</dd>
          </div>
        ))}
      </dl>
      {account?.buysBlocked && <p class="warning">{BLOCKED_WORDS}</p>}
    </section>
  );
}
