import { useComputed, useSignal } from '@preact/signals';
import type { Trade } from '@stockbroker/client';
import { useRef } from 'preact/hooks';
import { dollars, usdOf } from '../money.ts';
import type { SentOrder } from '../state/sentOrders.ts';
import {
  isBuy,
  isCanceled,
  isOpen,
  isWaiting,
  orderWords,
  rejectionWords,
  statusOf,
  statusWords,
  timeWords,
  tradeValue,
} from '../words.ts';
import { useDesk } from './context.ts';
import { Empty, Hidden, Skeleton } from './parts.tsx';

const FILTERS = ['all', 'open', 'filled', 'rejected'] as const;
type Filter = (typeof FILTERS)[number];
const FILTER_WORDS: Record<Filter, string> = { all: 'All', open: 'Open', filled: 'Filled', rejected: 'Rejected' };

export function Orders() {
  const desk = useDesk();
  const filter = useSignal<Filter>('all');
  const shown = useComputed(() => desk.trades.value.filter((trade) => isShown(trade, filter.value)));
  const sent = desk.unanswered.value.filter(
    ({ state }) => filter.value === 'all' || (filter.value === 'open' && state !== 'refused'),
  );
  const isLoading = desk.feed.view.value === undefined;
  return (
    <section class="orders card" aria-labelledby="orders-title">
      <div class="orders-head">
        <h2 id="orders-title" tabIndex={-1}>
          Orders
        </h2>
        <fieldset class="segments">
          <legend class="hidden">Show orders</legend>
          {FILTERS.map((each) => (
            <label key={each}>
              <input
                type="radio"
                name="orders-filter"
                checked={filter.value === each}
                onChange={() => {
                  filter.value = each;
                }}
              />
              <span>{FILTER_WORDS[each]}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {isLoading && sent.length === 0 ? (
        <Skeleton width="100" />
      ) : shown.value.length + sent.length === 0 ? (
        <Empty title={filter.value === 'all' ? 'No orders yet' : `No ${FILTER_WORDS[filter.value].toLowerCase()} orders`}>
          {filter.value === 'all' && <p>Search a stock, choose a quantity, and place your first order.</p>}
        </Empty>
      ) : (
        <ul class="order-list">
          {sent.map((each) => (
            <SentRow key={each.order.clientOrderId} sent={each} onDismiss={() => desk.sent.dismiss(each.order.clientOrderId)} />
          ))}
          {shown.value.map((trade) => (
            <Row key={trade.orderId} trade={trade} />
          ))}
        </ul>
      )}
      <More />
    </section>
  );
}

function isShown(trade: Trade, filter: Filter): boolean {
  return filter === 'all' || (filter === 'open' ? isOpen(trade) : statusOf(trade) === filter);
}

function More() {
  const desk = useDesk();
  const { past, feed } = desk;
  // The stream begins with the newest 50: only then there may be others.
  if (past.older.value === 'all' || (feed.view.value?.trades.size ?? 0) < 50) return null;
  return (
    <button type="button" class="quiet more" disabled={past.older.value === 'loading'} onClick={() => void desk.readOlder()}>
      {past.older.value === 'loading' ? 'Loading…' : past.older.value === 'failed' ? 'That failed. Try again' : 'Older orders'}
    </button>
  );
}

function SentRow({ sent: { order, state, words }, onDismiss }: { sent: SentOrder; onDismiss: () => void }) {
  return (
    <li class="order sent">
      <span class="order-what">{orderWords(order)}</span>
      <span class={`status ${state === 'refused' ? 'rejected' : 'placed'}`}>
        {state === 'refused' ? 'Not placed' : 'Sending…'}
      </span>
      <span class="order-why">{words}</span>
      {state === 'refused' && (
        <button type="button" class="link" onClick={onDismiss}>
          Dismiss
        </button>
      )}
    </li>
  );
}

function Row({ trade }: { trade: Trade }) {
  const desk = useDesk();
  const summary = useRef<HTMLElement>(null);
  const status = statusOf(trade);
  const value = tradeValue(trade);
  const now = new Date();
  const details: [string, string][] = [
    ['Placed', timeWords(trade.createdAt, now)],
    ['Sent to the exchange', timeWords(trade.submittedAt, now)],
    [status === 'rejected' ? 'Rejected' : 'Filled', timeWords(trade.executedAt, now)],
    [isBuy(trade) ? 'Highest price accepted' : 'Lowest price accepted', money(trade.limitPrice)],
    ['Cash held for it', isBuy(trade) ? money(trade.hold) : ''],
    ['Order id', trade.orderId],
  ];
  const asked = desk.cancellations.words.value.get(trade.orderId);
  const cancel = async () => {
    // The button is about to go, and has the focus; where only open orders are shown the order goes as well.
    if (await desk.cancellations.cancel(trade.orderId)) (summary.current ?? document.getElementById('orders-title'))?.focus();
  };
  return (
    <li class="order">
      <details>
        <summary ref={summary}>
          <span class="order-what">{orderWords(trade)}</span>
          <span class={`status ${status}`}>{statusWords(trade)}</span>
          <span class="order-when">{timeWords(trade.createdAt, now)}</span>
          <span class="order-value">{value === undefined ? '' : `${dollars(value)} at ${money(trade.price)}`}</span>
          {status === 'rejected' && <span class="order-why">{rejectionWords(trade)}</span>}
        </summary>
        <dl>
          {details
            .filter(([, text]) => text !== '')
            .map(([name, text]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{text}</dd>
              </div>
            ))}
        </dl>
      </details>
      {asked !== undefined && !isCanceled(trade) && (
        <p class="order-why" role="status">
          {asked}
        </p>
      )}
      {isWaiting(trade) && (
        <button type="button" class="quiet" onClick={() => void cancel()}>
          Cancel<Hidden> {orderWords(trade)}</Hidden>
        </button>
      )}
    </li>
  );
}

function money(text: string): string {
  const amount = usdOf(text);
  return amount === undefined ? '' : dollars(amount);
}
