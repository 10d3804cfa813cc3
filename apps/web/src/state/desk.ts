import { computed, effect, signal, untracked } from '@preact/signals';
import {
  BrokerClient,
  BrokerError,
  type Instrument,
  newestFirst,
  type Order,
  storageJournal,
  type Trade,
  webCalls,
} from '@stockbroker/client';
import { chosenBefore, rememberChoice } from '../kept.ts';
import { customerIdOf, type Session, type SignIn } from '../signIn.ts';
import { newsWords } from '../words.ts';
import { Cancellations } from './cancellations.ts';
import { PastTrades } from './pastTrades.ts';
import { QuotesFeed } from './quotesFeed.ts';
import { MAX_RESEND_AGE_MS, type SentOrder, SentOrders } from './sentOrders.ts';
import { TradesFeed } from './tradesFeed.ts';

/** A page that has been hidden for this long ends its streams; they resume when it is shown again. */
const UNSEEN_MS = 60_000;
const INSTRUMENTS_AGAIN_MS = 5_000;
const SELECTED = 'stockbroker.ticker';

/** Everything the page knows, of one customer. */
export class Desk {
  readonly client: BrokerClient;
  readonly session: Session;
  readonly feed: TradesFeed;
  readonly quotesFeed: QuotesFeed;
  readonly sent: SentOrders;
  readonly cancellations: Cancellations;
  readonly past: PastTrades;
  readonly instruments = signal<Instrument[] | undefined>(undefined);
  readonly ticker = signal(chosenBefore(SELECTED) ?? 'AAPL');
  /** What the customer is about to place. */
  readonly reviewed = signal<Required<Order> | undefined>(undefined);
  /** The latest news of a trade in words, for those who hear the page. */
  readonly news = signal('');
  #unseen: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  readonly #ends: (() => void)[] = [];

  constructor(signIn: SignIn, session: Session) {
    this.session = session;
    this.client = new BrokerClient({
      calls: webCalls({ url: location.origin, token: () => signIn.token() }),
      journal: storageJournal(localStorage, customerIdOf(session.token)),
      maxResendAgeMs: MAX_RESEND_AGE_MS,
    });
    const tell = (trade: Trade) => {
      this.news.value = newsWords(trade);
    };
    this.feed = new TradesFeed(this.client, tell, () => void this.past.readFills());
    this.quotesFeed = new QuotesFeed(this.client, this.#wanted);
    this.sent = new SentOrders(this.client);
    this.cancellations = new Cancellations(this.client);
    this.past = new PastTrades(this.client);
  }

  readonly account = computed(() => this.feed.view.value?.account);

  /** What the stream tells, older ones, and the broker's answers that neither has told yet; newest first. */
  readonly trades = computed<Trade[]>(() => {
    const told = this.feed.view.value?.trades ?? new Map();
    return newestFirst(new Map([...this.sent.answered.value, ...this.past.trades.value, ...told]).values());
  });

  /** All that were filled, as far as they were read. */
  readonly fills = computed<Trade[]>(() => [
    ...new Map([...this.past.filled.value, ...this.trades.value.map((trade) => [trade.orderId, trade] as const)]).values(),
  ]);

  /** Sent, and no trade yet as far as anybody has told. */
  readonly unanswered = computed<SentOrder[]>(() => {
    const ids = new Set(this.trades.value.map(({ clientOrderId }) => clientOrderId));
    return this.sent.list.value.filter(({ order }) => !ids.has(order.clientOrderId));
  });

  readOlder(): Promise<void> {
    const ids = new Set(this.trades.value.map(({ orderId }) => orderId));
    return this.past.readOlder(({ orderId }) => ids.has(orderId));
  }

  /** The chosen stock, that of the order under review, and all that the customer has. */
  readonly #wanted = computed(() => {
    const owned = this.feed.view.value?.account.positions.map(({ stockTicker }) => stockTicker) ?? [];
    const known = this.instruments.value;
    const reviewed = this.reviewed.value?.stockTicker ?? this.ticker.value;
    const tickers = new Set([this.ticker.value, reviewed, ...owned]);
    return [...tickers].filter((ticker) => known?.some(({ stockTicker }) => stockTicker === ticker)).join(' ');
  });

  readonly quotes = computed(() => this.quotesFeed.quotes.value);

  start(): void {
    this.#begin();
    void this.#readInstruments();
    void this.past.readFills();
    void this.sent.check();
    const seen = () => this.#look();
    document.addEventListener('visibilitychange', seen);
    // Whenever the broker is back it is asked for what it has not answered.
    const end = effect(() => {
      if (this.feed.connection.value === 'live') untracked(() => void this.sent.check());
    });
    this.#ends.push(end, () => document.removeEventListener('visibilitychange', seen));
  }

  stop(): void {
    for (const end of this.#ends) end();
    clearTimeout(this.#unseen);
    clearTimeout(this.#again);
    this.sent.stop();
    this.feed.stop();
    this.quotesFeed.stop();
  }

  choose(ticker: string): void {
    this.ticker.value = ticker;
    rememberChoice(SELECTED, ticker);
  }

  #begin(): void {
    this.feed.start();
    this.quotesFeed.start();
  }

  #look(): void {
    clearTimeout(this.#unseen);
    const leave = () => {
      this.feed.stop();
      this.quotesFeed.stop();
    };
    if (document.visibilityState === 'visible') this.#begin();
    else this.#unseen = setTimeout(leave, UNSEEN_MS);
  }

  async #readInstruments(): Promise<void> {
    try {
      const all = await this.client.listInstruments();
      this.instruments.value = all;
      if (!all.some(({ stockTicker }) => stockTicker === this.ticker.value)) this.ticker.value = all[0]?.stockTicker ?? '';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      if (error.code !== 'UNAUTHENTICATED') this.#again = setTimeout(() => void this.#readInstruments(), INSTRUMENTS_AGAIN_MS);
    }
  }
}
