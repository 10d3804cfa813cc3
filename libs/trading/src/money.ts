/**
 * Money is a whole number of ten-thousandths of a US dollar: US prices have at most four decimals and quantities are whole, so
 * nothing is ever rounded. On the wire it is a decimal string with four places.
 */
export type UsdE4 = bigint;

/** What the database can store of an amount. */
export const MAX_USD_E4 = 2n ** 63n - 1n;

const DECIMAL = /^(-?)(\d{1,13})(?:\.(\d{1,4}))?$/;

/** "189.92" → 1899200n. @throws RangeError for anything but an optional minus, up to 13 digits and up to 4 decimals */
export function parseUsd(text: string): UsdE4 {
  const match = DECIMAL.exec(text);
  if (match === null) throw new RangeError(`not an amount in USD with at most four decimals: ${JSON.stringify(text)}`);
  const [, sign, whole = '', decimals = ''] = match;
  const magnitude = BigInt(whole) * 10_000n + BigInt(decimals.padEnd(4, '0'));
  return sign === '-' ? -magnitude : magnitude;
}

/** 1899200n → "189.9200". */
export function formatUsd(amount: UsdE4): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(5, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
