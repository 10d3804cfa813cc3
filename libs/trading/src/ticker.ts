/** One to five capital letters, and for a share class a dot and one or two more: "AAPL", "BRK.B". */
const TICKER = /^[A-Z]{1,5}(?:\.[A-Z]{1,2})?$/;

export function isTicker(text: string): boolean {
  return TICKER.test(text);
}
