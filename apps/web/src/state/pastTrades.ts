import { signal } from '@preact/signals';
import { type BrokerClient, BrokerError, type Trade, TradeStatus } from '@stockbroker/client';

const FILLS_PAGE = 500;
const FILLS_PAGES = 10;
const OLDER_PAGE = 50;

/** Trades from before the stream's view. Final ones never change, so what was read once stays good. */
export class PastTrades {
  readonly trades = signal<ReadonlyMap<string, Trade>>(new Map());
  /** Of the list, page by page. */
  readonly older = signal<'more' | 'loading' | 'all' | 'failed'>('more');
  /** All fills there are: what the cost of positions is counted from. `some`: there are too many to be read by a page. */
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
        this.#keep(trades);
        pageToken = nextPageToken;
        if (pageToken === '') break;
      }
      this.fills.value = pageToken === '' ? 'all' : 'some';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.fills.value = 'failed';
    }
  }

  async readOlder(): Promise<void> {
    if (this.older.value === 'loading') return;
    this.older.value = 'loading';
    try {
      const { trades, nextPageToken } = await this.#client.listTrades({ pageSize: OLDER_PAGE, pageToken: this.#pageToken });
      this.#keep(trades);
      this.#pageToken = nextPageToken;
      this.older.value = nextPageToken === '' ? 'all' : 'more';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.older.value = 'failed';
    }
  }

  #keep(trades: readonly Trade[]): void {
    const isFinal = ({ status }: Trade) =>
      status === TradeStatus.TRADE_STATUS_FILLED || status === TradeStatus.TRADE_STATUS_REJECTED;
    this.trades.value = new Map([
      ...this.trades.value,
      ...trades.filter(isFinal).map((trade) => [trade.orderId, trade] as const),
    ]);
  }
}
