import type { Order, Trade } from '@stockbroker/client';
import { useEffect, useRef } from 'preact/hooks';
import { dollars, usdOf } from '../money.ts';
import {
  isBuy,
  isCanceled,
  isOpen,
  isTooEarly,
  isWaiting,
  orderWords,
  rejectionWords,
  statusOf,
  timeWords,
  tradeValue,
} from '../words.ts';
import { useDesk } from './context.ts';
import { Hidden } from './parts.tsx';

interface Props {
  order: Required<Order>;
  onAgain: () => void;
  /** The same order is to be placed so that it waits for the open. */
  onQueue: (order: Required<Order>) => void;
}

/** The life of the order that was just placed, as the broker tells it. */
export function Outcome({ order, onAgain, onQueue }: Props) {
  const desk = useDesk();
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const trade = desk.trades.value.find(({ clientOrderId }) => clientOrderId === order.clientOrderId);
  const sent = trade === undefined ? desk.sent.find(order.clientOrderId) : undefined;
  const isOver = trade === undefined ? sent?.state === 'refused' || sent?.state === 'elsewhere' : !isOpen(trade);
  return (
    <div class="outcome">
      <h2 id="ticket-title" ref={title} tabIndex={-1}>
        {orderWords(order)}
      </h2>
      {trade === undefined ? (
        <p role="status" class={sent?.state === 'refused' ? 'warning' : 'note'}>
          {sent?.words ?? 'It is among your earlier orders.'}
        </p>
      ) : (
        <Life trade={trade} />
      )}
      {trade !== undefined && isTooEarly(trade) && (
        <button type="button" class="primary wide" onClick={() => onQueue(order)}>
          Queue for the open
        </button>
      )}
      <button type="button" class="quiet wide" onClick={onAgain}>
        {isOver ? 'New order' : 'New order, while this one goes on'}
      </button>
    </div>
  );
}

type Step = { name: string; at: Date | undefined; state: 'done' | 'current' | 'todo' | 'bad'; words?: string };

function Life({ trade }: { trade: Trade }) {
  const now = new Date();
  return (
    <ol class="life">
      {stepsOf(trade).map(({ name, at, state, words }) => (
        <li key={name} class={state} {...(state === 'current' ? { 'aria-current': 'step' as const } : {})}>
          <span class="step-name">
            {name}
            {state === 'todo' && <Hidden> (not yet)</Hidden>}
          </span>
          <span class="step-time">{state === 'todo' ? '' : timeWords(at, now)}</span>
          {words !== undefined && <span class="step-words">{words}</span>}
        </li>
      ))}
    </ol>
  );
}

function stepsOf(trade: Trade): Step[] {
  const status = statusOf(trade);
  const wasSent = trade.submittedAt !== undefined;
  const placed: Step = { name: 'Placed', at: trade.createdAt, state: status === 'placed' ? 'current' : 'done' };
  if (isWaiting(trade))
    placed.words = 'It goes to the exchange when the market opens. Until then you can cancel it, among your orders.';
  const executed: Step = {
    name: 'Sent to the exchange',
    at: trade.submittedAt,
    state: status === 'executed' ? 'current' : wasSent ? 'done' : 'todo',
  };
  if (status === 'rejected') {
    const rejected: Step = {
      name: isCanceled(trade) ? 'Canceled' : 'Rejected',
      at: trade.executedAt,
      state: 'bad',
      words: rejectionWords(trade),
    };
    return wasSent ? [placed, executed, rejected] : [placed, rejected];
  }
  const filled: Step = { name: 'Filled', at: trade.executedAt, state: status === 'filled' ? 'done' : 'todo' };
  const value = tradeValue(trade);
  if (value !== undefined)
    filled.words = `${isBuy(trade) ? 'Cost' : 'Brought'} ${dollars(value)}, ${dollars(usdOf(trade.price) ?? 0n)} a share.`;
  return [placed, executed, filled];
}
