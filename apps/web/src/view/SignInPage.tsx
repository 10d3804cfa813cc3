import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type SignIn, SignInError } from '../signIn.ts';

export function SignInPage({ signIn, problem }: { signIn: SignIn; problem: string | undefined }) {
  const failure = useSignal(problem);
  const isLeaving = useSignal(false);
  useEffect(() => {
    // Come back to from the issuer's page, as it was left.
    const shown = () => {
      isLeaving.value = false;
    };
    addEventListener('pageshow', shown);
    return () => removeEventListener('pageshow', shown);
  }, []);
  const begin = async () => {
    isLeaving.value = true;
    failure.value = undefined;
    try {
      await signIn.begin();
    } catch (error) {
      isLeaving.value = false;
      if (!(error instanceof SignInError)) throw error;
      failure.value = error.message;
    }
  };
  return (
    <main class="sign-in">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <h1>Stockbroker</h1>
      <p>US stocks at live prices. What you place is followed to its fill, in front of you.</p>
      {failure.value !== undefined && (
        <p class="warning" role="alert">
          {failure.value}
        </p>
      )}
      {signIn.isPossible ? (
        <button type="button" class="primary" disabled={isLeaving.value} onClick={() => void begin()}>
          {isLeaving.value ? 'One moment…' : 'Sign in'}
        </button>
      ) : (
        <p class="note">This server has no page to sign in at.</p>
      )}
    </main>
  );
}
