export { Elector } from './elector.ts';
export { type BucketOptions, KEYS_KEPT_MS } from './ensureBucket.ts';
export { leaseBucketName } from './keys.ts';
export { type LeaseBucket, type LeaseSnapshot, openLeaseBucket } from './leaseBucket.ts';
export { natsLeaseStore } from './natsLeaseStore.ts';
export type { ElectorEvents, ElectorOptions, LeaseChange, LeaseClock, LeaseStore, WithoutLeader } from './ports.ts';
export type { Term } from './term.ts';
