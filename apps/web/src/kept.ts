/*
 * What this browser keeps for the page. Where cookies and site data are blocked, reading `localStorage` throws already; where its room is
 * used up, writing does.
 */

/** Whether there is anything to keep things in. Without it nobody can sign in, and a reload would forget orders under way. */
export function canKeep(): boolean {
  try {
    return [localStorage, sessionStorage].every((storage) => storage.length >= 0);
  } catch {
    return false;
  }
}

/** What the customer chose earlier; null where nothing is kept. */
export function chosenBefore(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // `canKeep` says so to the customer.
  }
}

/** For the next time; where that cannot be, it is as chosen until then. */
export function rememberChoice(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Not worth a word: only how the page looks depends on it.
  }
}
