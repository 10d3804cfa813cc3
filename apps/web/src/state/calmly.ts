import type { ConnectionState } from '@stockbroker/client';

/** A stream that is opened again within this time, e.g. because its token was renewed, is no news for a customer. */
const CALM_MS = 700;

/** Passes on how a connection stands, but that it is being made or made again only when that takes a while. */
export function calmly(tell: (state: ConnectionState) => void): (state: ConnectionState) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (state) => {
    clearTimeout(timer);
    if (state === 'connecting' || state === 'reconnecting') timer = setTimeout(() => tell(state), CALM_MS);
    else tell(state);
  };
}
