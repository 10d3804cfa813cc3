import { signal } from '@preact/signals';
import { type BrokerClient, BrokerError, type Trade, TradeStatus } from '@stockbroker/client';
import { isOpen } from '../words.ts';

const FILLS_PAGE = 500;
const FILLS_PAGES = 10;
const OLDER_PAGE = 50;

/** Trades from before the stream's view. Final ones never change, so what was read once stays good. */
export class PastTrades {
  readonly trades = signal<ReadonlyMap<string, Trade>>(new Map());
  /** Of that list, page by page. */
  readonly older = signal<'more' | 'loading' | 'all' | 'failed'>('more');
  /** What the cost of positions is counted from; no part of the list, which grows as the customer asks for it. */
  readonly filled = signal<ReadonlyMap<string, Trade>>(new Map());
  /** Of `filled`. `some`: there are too many to be read by a page. */
  readonly fills = signal<'loading' | 'all' | 'some' | 'failed'>('loading');
  readonly #client: BrokerClient;
  #pageToken = '';

  constructor(client: BrokerClient) {
    this.#client = client;
  }

  async readFills(): Promise<void> {
    this.fills.value = 'loading';
    try {
      let pageToken = '';
      for (let page = 0; page < FILLS_PAGES; page += 1) {
        const statuses = [TradeStatus.TRADE_STATUS_FILLED];
        const { trades, nextPageToken } = await this.#client.listTrades({ pageSize: FILLS_PAGE, pageToken, statuses });
        this.filled.value = withFinal(this.filled.value, trades);
        pageToken = nextPageToken;
        if (pageToken === '') break;
      }
      this.fills.value = pageToken === '' ? 'all' : 'some';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.fills.value = 'failed';
    }
  }

  /**
   * The next ones of the list.
   *
   * @param isShown one that is there already: reading goes on until there is one that is not
   */
  async readOlder(isShown: (trade: Trade) => boolean): Promise<void> {
    if (this.older.value === 'loading') return;
    this.older.value = 'loading';
    try {
      for (let hasNew = false; !hasNew && this.older.value === 'loading'; ) {
        const { trades, nextPageToken } = await this.#client.listTrades({ pageSize: OLDER_PAGE, pageToken: this.#pageToken });
        hasNew = !trades.every(isShown);
        this.trades.value = withFinal(this.trades.value, trades);
        this.#pageToken = nextPageToken;
        if (nextPageToken === '') this.older.value = 'all';
      }
      if (this.older.value === 'loading') this.older.value = 'more';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.older.value = 'failed';
    }
  }
}

function withFinal(known: ReadonlyMap<string, Trade>, trades: readonly Trade[]): ReadonlyMap<string, Trade> {
  return new Map([...known, ...trades.filter((trade) => !isOpen(trade)).map((trade) => [trade.orderId, trade] as const)]);
}
