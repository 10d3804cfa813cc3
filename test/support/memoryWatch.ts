import { commandOf, descendantsOf, processStart, residentBytesOf } from '@stockbroker/testkit';

/** Shorter than it takes a process to fill a machine. */
const LOOK_MS = 1_000;

export interface ProcessMemory {
  pid: number;
  command: string;
  /** The most that was ever resident. */
  mostBytes: number;
}

/** Remembers the most memory of this process and of everything that it starts, also of what has ended since. */
export class MemoryWatch {
  /** By id and start: ids are used again. */
  readonly #seen = new Map<string, ProcessMemory>();
  readonly #timer = setInterval(() => this.look(), LOOK_MS).unref();

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Largest first. */
  get processes(): ProcessMemory[] {
    return [...this.#seen.values()].toSorted((a, b) => b.mostBytes - a.mostBytes);
  }

  look(): void {
    for (const pid of [process.pid, ...descendantsOf(process.pid)]) {
      const started = processStart(pid);
      const command = commandOf(pid);
      const mostBytes = bytesOf(pid);
      if (started === undefined || command === undefined || mostBytes === undefined) continue; // It has ended meanwhile.
      const key = `${pid} ${started}`;
      this.#seen.set(key, { pid, command, mostBytes: Math.max(mostBytes, this.#seen.get(key)?.mostBytes ?? 0) });
    }
  }
}

function bytesOf(pid: number): number | undefined {
  try {
    return residentBytesOf(pid).highest;
  } catch {
    return undefined;
  }
}
