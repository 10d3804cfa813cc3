import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { dollars } from '../money.ts';
import { pricesOf } from '../prices.ts';
import { PriceSeries } from '../state/priceSeries.ts';
import { Chart } from './Chart.tsx';
import { useDesk } from './context.ts';
import { Change, OldPrice, Skeleton } from './parts.tsx';

/** The chosen stock: its price now and of late. */
export function Stock() {
  const desk = useDesk();
  const ticker = desk.ticker.value;
  const series = useMemo(() => new PriceSeries(desk.client, ticker), [desk, ticker]);
  useEffect(() => {
    if (ticker !== '') void series.read();
  }, [series, ticker]);
  useSignalEffect(() => {
    const quote = desk.quotes.value.get(desk.ticker.value);
    if (quote !== undefined && quote.stockTicker === series.stockTicker) series.add(quote);
  });
  const quote = desk.quotes.value.get(ticker);
  const prices = pricesOf(quote);
  const first = series.points.value[0];
  const name = desk.instruments.value?.find(({ stockTicker }) => stockTicker === ticker)?.name;
  const isOld = desk.quotesFeed.isOld.value;
  return (
    <section class="stock card" aria-labelledby="stock-name">
      <div class="stock-head">
        <div>
          <h2 id="stock-name">
            <span class="ticker">{ticker}</span> <span class="name">{name}</span>
          </h2>
          <p class={`price${isOld ? ' old' : ''}`}>
            {prices === undefined ? quote === undefined ? <Skeleton width="10ch" /> : 'No price' : dollars(prices.mid)}
          </p>
        </div>
        <dl class="sides">
          <div>
            <dt>Bid</dt>
            <dd>{prices?.bid === undefined ? '–' : dollars(prices.bid)}</dd>
          </div>
          <div>
            <dt>Ask</dt>
            <dd>{prices?.ask === undefined ? '–' : dollars(prices.ask)}</dd>
          </div>
        </dl>
      </div>
      <p class="since">
        {prices !== undefined && first !== undefined && (
          <>
            <Change amount={prices.mid - first.price} of={first.price} /> past {minutes(first.time)}
          </>
        )}
      </p>
      {quote?.halted === true && <p class="warning">Trading in {ticker} is halted.</p>}
      {prices !== undefined && <OldPrice />}
      {!isOld && quote !== undefined && prices === undefined && !quote.halted && (
        <p class="warning">The exchange gives no price of {ticker} at present.</p>
      )}
      <Chart key={ticker} series={series} />
    </section>
  );
}

/** How long ago, in the words of a heading. */
function minutes(sinceSeconds: number): string {
  const passed = Math.round((Date.now() / 1_000 - sinceSeconds) / 60);
  return passed < 2 ? 'minute' : `${Math.min(15, passed)} min`;
}
