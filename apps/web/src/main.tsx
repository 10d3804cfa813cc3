import './style/base.css';
import './style/desk.css';
import './style/parts.css';
import { render } from 'preact';
import { canKeep } from './kept.ts';
import { type Session, SignIn, type SignInConfig, SignInError } from './signIn.ts';
import { Desk } from './state/desk.ts';
import { App } from './view/App.tsx';
import { DeskContext } from './view/context.ts';
import { SignInPage } from './view/SignInPage.tsx';

const NOTHING_KEPT =
  'This browser keeps nothing for this page, which it needs to sign you in and to remember orders that it has sent. ' +
  'Allow cookies and site data for this site, then reload the page.';

const place = document.getElementById('app');
if (place === null) throw new Error('the page has no place for the app');

start(place).catch((error: unknown) => {
  render(<p class="starting">Something unexpected went wrong on this page. Reload it in a moment.</p>, place);
  throw error;
});

async function start(at: HTMLElement): Promise<void> {
  at.replaceChildren(); // What stood there while the scripts were loading.
  if (!canKeep()) {
    render(<p class="starting">{NOTHING_KEPT}</p>, at);
    return;
  }
  render(<p class="starting">Loading…</p>, at);
  const config = await readConfig();
  if (config === undefined) {
    render(<p class="starting">The broker does not answer. Reload the page in a moment.</p>, at);
    return;
  }
  const signIn = new SignIn(config.signIn);
  let problem: string | undefined;
  let session: Session | undefined;
  try {
    session = await signIn.current();
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    problem = error.message;
  }
  if (session === undefined) {
    render(<SignInPage signIn={signIn} problem={problem} />, at);
    return;
  }
  const desk = new Desk(signIn, session);
  const leave = (why?: string) => {
    void signIn.end();
    desk.stop();
    render(<SignInPage signIn={signIn} problem={why} />, at);
  };
  const renew = () => {
    signIn.begin().catch((error: unknown) => {
      if (!(error instanceof SignInError)) throw error;
      leave(error.message);
    });
  };
  render(
    <DeskContext.Provider value={desk}>
      <App onSignOut={() => leave()} onSignIn={renew} />
    </DeskContext.Provider>,
    at,
  );
  desk.start();
}

async function readConfig(): Promise<{ signIn: SignInConfig | null } | undefined> {
  try {
    const response = await fetch('/config.json');
    return response.ok ? ((await response.json()) as { signIn: SignInConfig | null }) : undefined;
  } catch {
    return undefined; // The page shows it.
  }
}
