import { type Signal, useSignal } from '@preact/signals';
import { type Order, TradeType } from '@stockbroker/client';
import type { TradeType as Side } from '@stockbroker/trading';
import { useEffect, useRef } from 'preact/hooks';
import { estimate, mostOf, readQuantity } from '../estimate.ts';
import { count, dollars, usdOf } from '../money.ts';
import { pricesOf } from '../prices.ts';
import { useDesk } from './context.ts';
import { Outcome } from './Outcome.tsx';
import { OldPrice } from './parts.tsx';
import { Review } from './Review.tsx';

const SIDES: [Side, string][] = [
  ['buy', 'Buy'],
  ['sell', 'Sell'],
];

/** An order on its way: written, then reviewed, then placed. */
export function Ticket() {
  const desk = useDesk();
  const side = useSignal<Side>('buy');
  const { reviewed } = desk;
  const placed = useSignal<Required<Order> | undefined>(undefined);
  const place = (order: Required<Order>) => {
    if (placed.value !== undefined) return; // The second tap of two.
    placed.value = order;
    void desk.sent.place(order);
  };
  const text = useSignal('');
  const queueForOpen = useSignal(false);
  /** The button that led back here is gone, and had the focus. */
  const isBack = useRef(false);
  const back = () => {
    isBack.current = true;
    reviewed.value = undefined;
    placed.value = undefined;
  };
  const again = () => {
    text.value = '';
    queueForOpen.value = false;
    back();
  };
  /** What was rejected because it came too early may wait. */
  const queue = (order: Required<Order>) => {
    placed.value = undefined;
    reviewed.value = { ...order, queueForOpen: true, clientOrderId: crypto.randomUUID() };
  };
  // Another stock, another quantity.
  useEffect(() => {
    text.value = '';
  }, [desk.ticker.value]);
  return (
    <section class={`ticket card ${side.value}`} aria-labelledby="ticket-title">
      {placed.value !== undefined ? (
        <Outcome order={placed.value} onAgain={again} onQueue={queue} />
      ) : reviewed.value !== undefined ? (
        <Review order={reviewed.value} onPlace={place} onBack={back} />
      ) : (
        <Entry
          side={side}
          text={text}
          queueForOpen={queueForOpen}
          isBack={isBack.current}
          onReview={(quantity) => {
            const type = side.value === 'buy' ? TradeType.TRADE_TYPE_BUY : TradeType.TRADE_TYPE_SELL;
            // One id from the review on: however often it is placed, it is one trade.
            reviewed.value = {
              stockTicker: desk.ticker.value,
              type,
              quantity,
              queueForOpen: queueForOpen.value,
              clientOrderId: crypto.randomUUID(),
            };
          }}
        />
      )}
    </section>
  );
}

interface EntryProps {
  side: Signal<Side>;
  /** The quantity, as it was typed. */
  text: Signal<string>;
  queueForOpen: Signal<boolean>;
  isBack: boolean;
  onReview: (quantity: number) => void;
}

function Entry({ side, text, queueForOpen, isBack, onReview }: EntryProps) {
  const desk = useDesk();
  const field = useRef<HTMLInputElement>(null);
  const isJudged = useSignal(false);
  const ticker = desk.ticker.value;
  const prices = pricesOf(desk.quotes.value.get(ticker));
  const read = readQuantity(text.value);
  const quantity = 'quantity' in read ? read.quantity : undefined;
  const spendable = usdOf(desk.account.value?.spendable);
  const position = desk.account.value?.positions.find(({ stockTicker }) => stockTicker === ticker);
  const shares = (position?.quantity ?? 0n) - (position?.held ?? 0n);
  const isBuy = side.value === 'buy';
  const most = spendable === undefined ? undefined : mostOf(side.value, prices, spendable, shares);
  const problem = isJudged.value && 'problem' in read ? read.problem : undefined;
  const isShort = quantity !== undefined && most !== undefined && quantity > most;
  useEffect(() => {
    isJudged.value = false;
  }, [ticker]);
  useEffect(() => {
    if (isBack) field.current?.focus();
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    isJudged.value = true;
    if (quantity === undefined) field.current?.focus();
    else onReview(quantity);
  };
  return (
    <form onSubmit={submit} noValidate>
      <h2 id="ticket-title">Trade {ticker}</h2>
      <fieldset class="segments sides">
        <legend class="hidden">Buy or sell</legend>
        {SIDES.map(([value, words]) => (
          <label key={value} class={value}>
            <input
              type="radio"
              name="side"
              checked={side.value === value}
              onChange={() => {
                side.value = value;
              }}
            />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
      <div class="field">
        <label for="quantity">Shares</label>
        <input
          ref={field}
          id="quantity"
          inputMode="numeric"
          autocomplete="off"
          placeholder="0"
          value={text.value}
          aria-invalid={problem !== undefined}
          aria-describedby="quantity-help"
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <p id="quantity-help" class={problem === undefined ? 'help' : 'problem'}>
          {problem ??
            (isBuy ? `${dollarsOr(spendable)} to spend` : `${count(shares)} ${shares === 1n ? 'share' : 'shares'} to sell`)}
          {problem === undefined && most !== undefined && most > 0 && (
            <button
              type="button"
              class="link"
              onClick={() => {
                text.value = String(most);
              }}
            >
              Max {count(most)}
            </button>
          )}
        </p>
      </div>
      <div class="queue">
        <label class="choice">
          <input
            type="checkbox"
            checked={queueForOpen.value}
            aria-describedby="queue-help"
            onChange={(event) => {
              queueForOpen.value = event.currentTarget.checked;
            }}
          />
          Queue for the open
        </label>
        <p id="queue-help" class="help">
          If the market is closed, the order waits until it opens, instead of being rejected.
        </p>
      </div>
      <Estimated side={side.value} quantity={quantity} ticker={ticker} />
      {isShort && (
        <p class="warning">
          {isBuy ? 'That may need more cash than you have to spend.' : 'That is more than you have to sell.'} Unless an earlier
          order changes that, it will be rejected.
        </p>
      )}
      <button type="submit" class={`primary ${side.value}`}>
        Review {isBuy ? 'buy' : 'sell'}
      </button>
    </form>
  );
}

/** What it costs, and why more is held than that. */
function Estimated({ side, quantity, ticker }: { side: Side; quantity: number | undefined; ticker: string }) {
  const desk = useDesk();
  const estimated = estimate(side, quantity ?? 0, pricesOf(desk.quotes.value.get(ticker)));
  if (estimated === undefined) return <p class="note">There is no price of {ticker} at the moment.</p>;
  const { price, value, limit, worst } = estimated;
  const isBuy = side === 'buy';
  return (
    <>
      <dl class="figures">
        <div>
          <dt>Market price</dt>
          <dd>{dollars(price)}</dd>
        </div>
        <div class="total">
          <dt>{isBuy ? 'Estimated cost' : 'Estimated proceeds'}</dt>
          <dd>{dollars(value)}</dd>
        </div>
        <div>
          <dt>{isBuy ? 'At most, at this price' : 'At least, at this price'}</dt>
          <dd>{dollars(worst)}</dd>
        </div>
      </dl>
      <OldPrice />
      <p class="explained">
        {isBuy
          ? `A market order is filled at the best price there is, up to a limit: 5 % over the ask when it goes to the exchange, which would be ${dollars(limit)} a share now. That much is held until it is filled; what it does not cost is yours again at once.`
          : `A market order is filled at the best price there is, down to a limit: 5 % under the bid when it goes to the exchange, which would be ${dollars(limit)} a share now.`}
      </p>
    </>
  );
}

function dollarsOr(amount: bigint | undefined): string {
  return amount === undefined ? '…' : dollars(amount);
}
