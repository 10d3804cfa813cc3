export { Bus, type BusOptions, type Subscribed, type TradeRef } from './bus.ts';
export { connectNats } from './connectNats.ts';
export { publishSettled } from './publishSettled.ts';
export { settledSubject, wakeupStreamSettings } from './streams.ts';
export { natsVariables } from './variables.ts';
