/** Messages and services of exchange.v1, generated from proto/exchange/v1. */
export {
  CallbackServiceDefinition,
  ReportOrdersRequest,
  type ReportOrdersResponse,
} from './generated/exchange/v1/callback_service.ts';
export {
  ExchangeServiceDefinition,
  type ExchangeServiceListOrdersRequest,
  type Instrument,
  Quote,
  StreamQuotesResponse,
  SubmitOutcome,
  type SubmitResult,
} from './generated/exchange/v1/exchange_service.ts';
export { Order, OrderReport, OrderState, RejectReason, Side } from './generated/exchange/v1/order.ts';
export { Behaviour, type JournalEntry, SimulatorServiceDefinition } from './generated/exchange/v1/simulator_service.ts';
