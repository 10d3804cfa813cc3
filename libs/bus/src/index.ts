export { natsVariables } from './variables.ts';
export { connectNats } from './connectNats.ts';
export { Bus, type BusOptions, type Subscribed, type TradeRef } from './bus.ts';
