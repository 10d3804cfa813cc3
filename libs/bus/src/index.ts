export { Bus, type BusOptions, type Subscribed, type TradeRef } from './bus.ts';
export { connectNats, natsOptions } from './connectNats.ts';
export { busNames } from './names.ts';
export { publishSettled } from './publishSettled.ts';
export { wakeupStreamSettings } from './streams.ts';
export { type NatsConfig, natsAt, natsVariables } from './variables.ts';
