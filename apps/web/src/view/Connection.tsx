import { timeWords } from '../words.ts';
import { useDesk } from './context.ts';

const WORDS = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
  closed: 'Not connected',
};

export function ConnectionPill() {
  const { feed } = useDesk();
  return (
    <p class={`connection ${feed.connection.value}`} role="status" aria-label="Connection">
      <span class="dot" aria-hidden="true" />
      {WORDS[feed.connection.value]}
    </p>
  );
}

/** While what is shown may be old. */
export function ConnectionBanner() {
  const { feed } = useDesk();
  const state = feed.connection.value;
  if (feed.view.value === undefined || (state !== 'reconnecting' && state !== 'offline')) return null;
  const since = timeWords(feed.liveUntil.value, new Date());
  return (
    <p class="banner">
      {state === 'offline' ? 'You are offline.' : 'The connection was lost; trying again.'} What you see is from {since}, and is
      brought up to date by itself.
    </p>
  );
}
