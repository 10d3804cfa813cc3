export { fromCallback, MalformedReportError } from './convert.ts';
export { createExchangeClient, type ExchangeClient, type ExchangeClientOptions } from './exchangeClient.ts';
export type { ListedOrder, OrderRange } from './listOrders.ts';
export { openExchangeTls } from './openTls.ts';
export type { QuotedAt, Quotes, TickerQuote } from './quotes.ts';
export type { QuoteRules } from './screenQuote.ts';
export { callbackUrlVariable, exchangeVariables, quoteRules } from './variables.ts';
