import type { CallContext } from '@stockbroker/rpc';
import type { Log, Metrics } from '@stockbroker/runtime';
import { uuidOf } from '@stockbroker/trading';
import { type IdentityRefusedError, WHYS, type Why } from './refused.ts';

/** Refusals are logged one by one, but a caller who causes many must not fill the disk: past this many a second they are only counted. */
const LINES_PER_SECOND = 20;
const SECOND_MS = 1_000;
/** Key ids that are shown as they come: what else there may be is for nobody's terminal. */
const PLAIN = /^[\w.:=-]{1,64}$/;

/** The audit log of refused identities. */
export class Refusals {
  readonly #log: Log;
  readonly #count: (why: Why) => void;
  #lines = 0;
  #suppressed = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    const counter = metrics.counter('identity_refused_total', 'Callers who were not who the call needed', { reason: WHYS });
    this.#count = (reason) => counter.inc({ reason });
  }

  note(error: IdentityRefusedError, context: CallContext): void {
    this.#count(error.why);
    if (this.#lines >= LINES_PER_SECOND) {
      this.#suppressed += 1;
      return;
    }
    this.#timer ??= setTimeout(() => this.#nextSecond(), SECOND_MS).unref();
    this.#lines += 1;
    const { method, address, peer } = context;
    const line = {
      event: 'identity-refused',
      reason: error.why,
      method,
      address,
      peer,
      ...named(context.header('authorization')),
    };
    this.#log.warn(line, 'identity refused');
  }

  /** Tells at once what is still to be told. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#nextSecond();
  }

  #nextSecond(): void {
    this.#timer = undefined;
    if (this.#suppressed > 0) {
      this.#log.warn({ event: 'identity-refusals-suppressed', suppressed: this.#suppressed }, 'more identities were refused');
    }
    this.#lines = 0;
    this.#suppressed = 0;
  }
}

/** What a token claims, unchecked: whose it says it is, and which key it names. Null where that cannot be read or shown. */
function named(authorization: string | undefined): { kid: string | null; sub: string | null } {
  const [header, claims] = (/^Bearer ([\w-]{1,1000})\.([\w-]{1,8000})\./i.exec(authorization ?? '') ?? []).slice(1).map(read);
  const { kid } = header ?? {};
  const { sub } = claims ?? {};
  return {
    kid: typeof kid === 'string' && PLAIN.test(kid) ? kid : null,
    sub: (typeof sub === 'string' ? uuidOf(sub) : undefined) ?? null,
  };
}

function read(part: string): { kid?: unknown; sub?: unknown } | null {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as { kid?: unknown; sub?: unknown } | null;
  } catch {
    return null; // That is one of the reasons for a refusal.
  }
}
