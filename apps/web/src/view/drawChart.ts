import { AreaSeries, createChart, TickMarkType, type UTCTimestamp } from 'lightweight-charts';
import type { PricePoint } from '../state/priceSeries.ts';

export interface DrawnChart {
  show(points: readonly PricePoint[]): void;
  /** After the theme has changed. */
  recolour(): void;
  remove(): void;
}

const TIME = new Intl.DateTimeFormat('en-US', { hour: 'numeric', minute: '2-digit' });
const EXACT_TIME = new Intl.DateTimeFormat('en-US', { hour: 'numeric', minute: '2-digit', second: '2-digit' });
const at = (seconds: unknown) => new Date(Number(seconds) * 1_000);

/** Prices are floating-point numbers here and nowhere else: pixels need no ten-thousandths, and nothing is counted from them. */
export function drawChart(place: HTMLElement): DrawnChart {
  const chart = createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, fontFamily: getComputedStyle(place).fontFamily },
    localization: { timeFormatter: (time: unknown) => EXACT_TIME.format(at(time)) },
    timeScale: {
      timeVisible: true,
      borderVisible: false,
      secondsVisible: true,
      tickMarkMaxCharacterLength: 12,
      tickMarkFormatter: (time: unknown, type: TickMarkType) =>
        (type === TickMarkType.TimeWithSeconds ? EXACT_TIME : TIME).format(at(time)),
      fixLeftEdge: true,
      fixRightEdge: true,
    },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.15, bottom: 0.1 } },
    handleScroll: false,
    handleScale: false,
  });
  const area = chart.addSeries(AreaSeries, { lineWidth: 2, priceLineVisible: false });
  let shown: readonly PricePoint[] = [];

  const recolour = () => {
    const style = getComputedStyle(place);
    const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
    const direction = (shown.at(-1)?.price ?? 0n) < (shown[0]?.price ?? 0n) ? 'down' : 'up';
    chart.applyOptions({
      layout: { background: { color: colour('card') }, textColor: colour('muted') },
      grid: { vertLines: { visible: false }, horzLines: { color: colour('line') } },
      crosshair: { vertLine: { labelBackgroundColor: colour('strong') }, horzLine: { labelBackgroundColor: colour('strong') } },
    });
    area.applyOptions({
      lineColor: colour(direction),
      topColor: colour(`${direction}-area`),
      bottomColor: colour(`${direction}-none`),
    });
  };

  return {
    show: (points) => {
      shown = points;
      area.setData(points.map(({ time, price }) => ({ time: time as UTCTimestamp, value: Number(price) / 10_000 })));
      chart.timeScale().fitContent();
      recolour();
    },
    recolour,
    remove: () => chart.remove(),
  };
}
