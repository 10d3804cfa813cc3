export { Elector, type ElectorEvents, type ElectorOptions, type Term } from './elector.ts';
export { type NatsLeaseStoreOptions, natsLeaseStore } from './natsLeaseStore.ts';
export type { LeaseChange, LeaseClock, LeaseStore } from './ports.ts';
