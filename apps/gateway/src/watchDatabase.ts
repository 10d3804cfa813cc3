import { type Metrics, type Probe, startProbe } from '@stockbroker/runtime';
import type { DatabaseHealth, Store } from '@stockbroker/store';

const EVERY_MS = 5_000;

/**
 * What all trades and the database's servers look like, for alerts. Told by gateways, because they are there whenever trades are
 * accepted, also when no worker runs. While the database does not answer, the last figures stand, and /readyz says so.
 */
export function watchDatabase(store: Store, metrics: Metrics): Probe {
  let health: DatabaseHealth = { oldestOpenSeconds: 0, unresolvedCallbacks: 0, synchronousStandbys: 0, replayLagBytes: 0 };
  const gauge = (name: string, help: string, key: keyof DatabaseHealth) => metrics.gauge(name, help, () => health[key]);
  gauge('trades_oldest_open_seconds', 'Age of the trade that has been open for longest', 'oldestOpenSeconds');
  gauge('quarantine_unresolved_callbacks', 'Callbacks set aside that no operator has resolved', 'unresolvedCallbacks');
  gauge('database_synchronous_standbys', 'Standbys that each commit waits for', 'synchronousStandbys');
  gauge('database_replay_lag_bytes', 'Write-ahead log that the slowest standby has not replayed', 'replayLagBytes');
  return startProbe(async () => {
    health = await store.readHealth();
  }, EVERY_MS);
}
