export { type AdminServer, type Readiness, startAdmin } from './admin.ts';
export { type AppConfig, type AppContext, commonVariables, type RunningApp, runApp } from './app.ts';
export { backoffMs } from './backoff.ts';
export { Batcher, type BatcherOptions, OverloadedError, type Submit } from './batcher.ts';
export { sleep, systemClock, systemRandom } from './clock.ts';
export {
  ConfigError,
  type ConfigOf,
  describeVariables,
  fraction,
  integer,
  list,
  oneOf,
  readConfig,
  text,
  url,
  type Variable,
  type Variables,
} from './config.ts';
export { LineWriter } from './lineWriter.ts';
export { createLog, type Log } from './log.ts';
export { combinations, createMetrics, type Metrics, SIZE_BUCKETS } from './metrics.ts';
export { type Probe, startProbe } from './probe.ts';
export { reasonOf } from './reasonOf.ts';
export { SeededRandom } from './seededRandom.ts';
export { connectionAgeVariable, readServerLimits, serverVariables } from './serverVariables.ts';
export { checkIdentity, checkReplicas, ensureSettings, IDENTITY_KEY, SharedSettingsError } from './sharedSettings.ts';
