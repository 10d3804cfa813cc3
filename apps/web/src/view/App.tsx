import { useSignal } from '@preact/signals';
import { BrokerError } from '@stockbroker/client';
import { errorWords } from '../words.ts';
import { ConnectionBanner } from './Connection.tsx';
import { useDesk } from './context.ts';
import { Header } from './Header.tsx';
import { Orders } from './Orders.tsx';
import { Positions } from './Positions.tsx';
import { Stock } from './Stock.tsx';
import { Summary } from './Summary.tsx';
import { Ticket } from './Ticket.tsx';

const TABS = [
  ['trade', 'Trade'],
  ['portfolio', 'Portfolio'],
  ['orders', 'Orders'],
] as const;
type Tab = (typeof TABS)[number][0];

/** On a desktop all at once; on a phone one of three at a time. */
export function App({ onSignOut, onSignIn }: { onSignOut: () => void; onSignIn: () => void }) {
  const desk = useDesk();
  const tab = useSignal<Tab>('trade');
  const toTrade = () => {
    tab.value = 'trade';
  };
  return (
    <>
      <a class="skip" href="#main">
        Skip to trading
      </a>
      <Header onChosen={toTrade} onSignOut={onSignOut} />
      <ConnectionBanner />
      <Failure onSignIn={onSignIn} />
      <main id="main" class={`desk show-${tab.value}`} tabIndex={-1}>
        <Summary />
        <Stock />
        <Ticket />
        <Positions onChosen={toTrade} />
        <Orders />
      </main>
      <nav class="tabs" aria-label="Parts of the page">
        {TABS.map(([name, words]) => (
          <button
            key={name}
            type="button"
            {...(tab.value === name ? { 'aria-current': 'page' as const } : {})}
            onClick={() => {
              tab.value = name;
            }}
          >
            {words}
          </button>
        ))}
      </nav>
      <p class="hidden" role="status" aria-label="News of your orders">
        {desk.news.value}
      </p>
    </>
  );
}

/** What does not pass by itself. */
function Failure({ onSignIn }: { onSignIn: () => void }) {
  const failure = useDesk().feed.failure.value;
  if (failure === undefined) return null;
  return (
    <div class="banner failure" role="alert">
      <p>{errorWords(failure)}</p>
      {failure instanceof BrokerError && failure.code === 'UNAUTHENTICATED' ? (
        <button type="button" class="quiet" onClick={onSignIn}>
          Sign in again
        </button>
      ) : (
        <button type="button" class="quiet" onClick={() => location.reload()}>
          Try again
        </button>
      )}
    </div>
  );
}
