export { Elector } from './elector.ts';
export { LEASE_BUCKET } from './keys.ts';
export { type LeaseBucket, type LeaseSnapshot, openLeaseBucket } from './leaseBucket.ts';
export type { Term } from './term.ts';
export { type NatsLeaseStoreOptions, natsLeaseStore } from './natsLeaseStore.ts';
export type { ElectorEvents, ElectorOptions, LeaseChange, LeaseClock, LeaseStore } from './ports.ts';
