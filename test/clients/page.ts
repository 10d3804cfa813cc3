import { type ReadDetails, readDetails } from './details.ts';
import { type Call, clients, Failure } from './pageClients.ts';

/** What runs in the page: calls that a test starts, looks at and cancels from outside. */

export type ClientName = keyof typeof clients;

export interface CallState {
  messages: unknown[];
  ended: boolean;
  /** Of a call that ended badly. */
  failure?: { code: number; message: string } & ReadDetails;
}

interface Started {
  state: CallState;
  over: Promise<void>;
  abort: AbortController;
}

const started: Started[] = [];

const calls = {
  /** @returns its number */
  start(name: ClientName, call: Call): number {
    const abort = new AbortController();
    const state: CallState = { messages: [], ended: false };
    const onMessage = (message: unknown) => state.messages.push(message);
    const over = clients[name](call, { signal: abort.signal, onMessage })
      .catch((error: unknown) => {
        const isFailure = error instanceof Failure;
        const { code, message, details } = isFailure ? error : { code: -1, message: String(error), details: [] };
        state.failure = { code, message, ...readDetails(details) };
      })
      .then(() => {
        state.ended = true;
      });
    return started.push({ state, over, abort }) - 1;
  },
  look: (number: number) => nth(number).state,
  cancel: (number: number) => nth(number).abort.abort(),
  async ended(number: number): Promise<CallState> {
    await nth(number).over;
    return nth(number).state;
  },
};

function nth(number: number): Started {
  const found = started[number];
  if (found === undefined) throw new Error(`call ${number} was not started`);
  return found;
}

export type PageCalls = typeof calls;
Object.assign(globalThis, { calls });
