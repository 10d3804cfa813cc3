import type { ExchangeClient } from '@stockbroker/exchange-client';
import type { Instrument } from '@stockbroker/rpc/stockbroker';
import { type Log, sleep } from '@stockbroker/runtime';

const REFRESH_MS = 60_000;
const RETRY_MS = 500;

export interface Instruments {
  /** By ticker; undefined until the exchange has told. */
  all(): Instrument[] | undefined;
  stop(): void;
}

/** The exchange's list of stocks, read again every minute. */
export function followInstruments(exchange: ExchangeClient, log: Log): Instruments {
  const stopped = new AbortController();
  let known: Instrument[] | undefined;
  const follow = async () => {
    while (!stopped.signal.aborted) {
      try {
        const listed = await exchange.listInstruments();
        known = listed
          .map(({ ticker, name }) => ({ stockTicker: ticker, name }))
          .sort((a, b) => (a.stockTicker < b.stockTicker ? -1 : 1));
        await sleep(REFRESH_MS, stopped.signal);
      } catch (error) {
        log.debug({ err: error }, 'instruments not read');
        await sleep(RETRY_MS, stopped.signal);
      }
    }
  };
  void follow();
  return { all: () => known, stop: () => stopped.abort() };
}
