export { callbackUrlVariable, exchangeVariables } from './variables.ts';
export { createExchangeClient, type ExchangeClient, type ExchangeClientOptions } from './exchangeClient.ts';
export { fromOrderReport, MalformedReportError } from './convert.ts';
export type { QuotedAt, Quotes } from './quotes.ts';
