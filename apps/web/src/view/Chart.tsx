import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { dollars } from '../money.ts';
import type { PricePoint, PriceSeries } from '../state/priceSeries.ts';
import { isDark } from '../theme.ts';
import type { DrawnChart } from './drawChart.ts';

/** The picture of a price series. The library that draws it comes when everything else is there. */
export function Chart({ series }: { series: PriceSeries }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useSignal<DrawnChart | undefined>(undefined);
  const hasFailed = useSignal(false);
  useEffect(() => {
    let isGone = false;
    import('./drawChart.ts').then(
      ({ drawChart }) => {
        if (!isGone && place.current !== null) chart.value = drawChart(place.current);
      },
      () => {
        hasFailed.value = true; // Not loaded: the page is of use without it.
      },
    );
    return () => {
      isGone = true;
      chart.value?.remove();
    };
  }, []);
  useSignalEffect(() => chart.value?.show(series.points.value));
  useSignalEffect(() => {
    isDark();
    chart.value?.recolour();
  });
  const words = useComputed(() => describe(series.stockTicker, series.points.value));
  const isEmpty = useComputed(() => series.points.value.length === 0);
  const note = hasFailed.value
    ? 'The chart could not be loaded.'
    : isEmpty.value
      ? series.state.value === 'loading'
        ? 'Loading prices…'
        : 'No prices yet. They appear here as they come.'
      : undefined;
  return (
    <figure class="chart">
      <div ref={place} class="chart-place" role="img" aria-label={words.value} />
      {note !== undefined && <p class="chart-note">{note}</p>}
      <figcaption>
        Charts by{' '}
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">
          TradingView
        </a>
      </figcaption>
    </figure>
  );
}

function describe(ticker: string, points: readonly PricePoint[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return `Chart of ${ticker}: no prices yet`;
  const all = points.map(({ price }) => price);
  const [low, high] = all.reduce(
    ([least, most], price) => [price < least ? price : least, price > most ? price : most],
    [first.price, first.price],
  );
  const minutes = Math.max(1, Math.round((last.time - first.time) / 60));
  return `Chart of ${ticker}: from ${dollars(first.price)} to ${dollars(last.price)} in ${minutes} min; low ${dollars(low)}, high ${dollars(high)}`;
}
