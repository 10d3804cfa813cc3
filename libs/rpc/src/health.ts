import {
  type HealthCheckResponse,
  type HealthListResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from './generated/grpc/health/v1/health.ts';

export interface Health {
  /** For HealthDefinition. */
  handlers: {
    check(): Promise<HealthCheckResponse>;
    list(): Promise<HealthListResponse>;
    watch(request: unknown, context: { signal: AbortSignal }): AsyncIterable<HealthCheckResponse>;
  };
  set(serving: boolean): void;
  /** Ends every watch, so that a stopping server does not wait for them. */
  close(): void;
}

/**
 * grpc.health.v1: one status for the whole server, whatever service is asked for.
 * The published package does not bundle; this is all of it that a server with one status needs.
 */
export function createHealth(): Health {
  let serving = false;
  let closed = false;
  const watchers = new Set<() => void>();
  const status = () => ({ status: serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING });
  const notify = () => {
    for (const wake of [...watchers]) wake();
  };

  async function* watch(signal: AbortSignal): AsyncIterable<HealthCheckResponse> {
    let last: boolean | undefined;
    while (!signal.aborted && !closed) {
      if (serving !== last) {
        last = serving;
        yield status();
      }
      await new Promise<void>((resolve) => {
        if (signal.aborted || closed || serving !== last) return resolve();
        const wake = () => {
          watchers.delete(wake);
          resolve();
        };
        watchers.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  return {
    handlers: {
      check: async () => status(),
      list: async () => ({ statuses: { '': status() } }),
      watch: (_request, context) => watch(context.signal),
    },
    set: (next) => {
      serving = next;
      notify();
    },
    close: () => {
      serving = false;
      closed = true;
      notify();
    },
  };
}
