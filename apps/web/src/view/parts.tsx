import type { ComponentChildren } from 'preact';
import { directionOf, percent, signedDollars } from '../money.ts';
import { useDesk } from './context.ts';

/** For those who hear the page. */
export function Hidden({ children }: { children: ComponentChildren }) {
  return <span class="hidden">{children}</span>;
}

const ARROWS = { up: '▲', down: '▼', even: '' };

/** Told by sign, arrow and colour. */
export function Change({ amount, of }: { amount: bigint; of?: bigint | undefined }) {
  const direction = directionOf(amount);
  const share = of === undefined ? undefined : percent(amount, of);
  return (
    <span class={`change ${direction}`}>
      <span aria-hidden="true" class="arrow">
        {ARROWS[direction]}
      </span>
      {signedDollars(amount)}
      {share !== undefined && <span class="share"> ({share})</span>}
    </span>
  );
}

/** Beside each price that somebody may go by. */
export function OldPrice() {
  return useDesk().quotesFeed.isOld.value ? <p class="note">This price may be out of date.</p> : null;
}

/** Where something will be. */
export function Skeleton({ width = '6ch' }: { width?: '4ch' | '6ch' | '10ch' | '100' }) {
  return (
    <span class={`skeleton w-${width}`}>
      <Hidden>Loading…</Hidden>
    </span>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}
