import type { Order } from '@stockbroker/client';
import { useEffect, useRef } from 'preact/hooks';
import { estimate } from '../estimate.ts';
import { count, dollars, usdOf } from '../money.ts';
import { pricesOf } from '../prices.ts';
import { isBuy, orderWords } from '../words.ts';
import { useDesk } from './context.ts';
import { OldPrice } from './parts.tsx';

export function Review({
  order,
  onPlace,
  onBack,
}: {
  order: Required<Order>;
  onPlace: (order: Required<Order>) => void;
  onBack: () => void;
}) {
  const desk = useDesk();
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const { stockTicker, quantity } = order;
  const side = isBuy(order) ? 'buy' : 'sell';
  const prices = pricesOf(desk.quotes.value.get(stockTicker));
  const estimated = estimate(side, quantity, prices);
  const name = desk.instruments.value?.find((each) => each.stockTicker === stockTicker)?.name;
  const figures: [string, string][] = [
    ['Stock', name === undefined ? stockTicker : `${stockTicker}, ${name}`],
    ['Order', `Market ${side}`],
    ['Shares', count(quantity)],
    ['Market price', estimated === undefined ? 'No price now' : dollars(estimated.price)],
    [side === 'buy' ? 'Estimated cost' : 'Estimated proceeds', estimated === undefined ? '–' : dollars(estimated.value)],
    [
      side === 'buy' ? 'At most, at this price' : 'At least, at this price',
      estimated === undefined ? '–' : dollars(estimated.worst),
    ],
    ['If the market is closed', order.queueForOpen ? 'Waits for the open' : 'Is rejected'],
    ['Spendable cash now', dollars(usdOf(desk.account.value?.spendable) ?? 0n)],
  ];
  return (
    <div class="review">
      <h2 id="ticket-title" ref={title} tabIndex={-1}>
        {orderWords(order)}?
      </h2>
      <dl class="figures">
        {figures.map(([term, text]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {prices !== undefined && <OldPrice />}
      <p class="explained">The limit is made when the order goes to the exchange, from the price of that moment.</p>
      {order.queueForOpen && (
        <p class="explained">
          If the market is closed, this order waits until it opens next, and goes to the exchange then. Until then you can cancel
          it, and nothing is held for it: prices and your cash may be others at the open.
        </p>
      )}
      <button type="button" class={`primary ${side}`} onClick={() => onPlace(order)}>
        Place {side} order
      </button>
      <button type="button" class="quiet wide" onClick={onBack}>
        Back
      </button>
    </div>
  );
}
