import type { Log, Metrics } from '@stockbroker/runtime';
import { systemClock } from '@stockbroker/runtime';
import { Admission } from './admission.ts';
import type { GatewayConfig } from './config.ts';
import { createAuthenticate } from './identity/authenticate.ts';
import { IssuerKeys } from './identity/issuerKeys.ts';
import { isFile, keysReader } from './identity/readKeys.ts';
import { Refusals } from './identity/refusals.ts';
import { readLimits } from './limits/variables.ts';

/** Starts without the issuer, too: then nobody may call until it is there. @throws Error when the keys are a file that cannot be read */
export async function openAdmission(
  config: GatewayConfig,
  log: Log,
  metrics: Metrics,
): Promise<{ admission: Admission; problem: () => string | undefined; stop: () => void }> {
  const keys = new IssuerKeys({
    read: keysReader(config.AUTH_JWKS, config.AUTH_ISSUER),
    algorithms: config.AUTH_ALGORITHMS,
    refreshMs: config.AUTH_KEYS_REFRESH_MS,
    cooldownMs: config.AUTH_KEYS_COOLDOWN_MS,
    staleMs: config.AUTH_KEYS_STALE_MS,
    log,
  });
  const firstReading = keys.start();
  if (isFile(config.AUTH_JWKS)) await firstReading;
  const problem = isFile(config.AUTH_JWKS) ? keys.problem() : undefined;
  if (problem !== undefined) throw new Error(problem);
  const refusals = new Refusals(log, metrics);
  const authenticate = createAuthenticate({
    keys,
    issuer: config.AUTH_ISSUER,
    audience: config.AUTH_AUDIENCE,
    algorithms: config.AUTH_ALGORITHMS,
    maxLifetimeSeconds: config.AUTH_MAX_LIFETIME_S,
  });
  metrics.gauge('issuer_keys_age_seconds', 'Since the issuer’s keys were read', () => keys.ageSeconds);
  return {
    admission: new Admission({ authenticate, refusals, ...readLimits(config), metrics, nowMs: systemClock.monotonicMs }),
    problem: () => keys.problem(),
    stop: () => {
      keys.stop();
      refusals.stop();
    },
  };
}
