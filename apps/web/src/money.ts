import { formatUsd, parseUsd, type UsdE4 } from '@stockbroker/trading';

/** "1994.1600" → "$1,994.16"; the third and fourth decimals only where there are any. */
export function dollars(amount: UsdE4): string {
  const [whole = '', decimals = ''] = formatUsd(amount < 0n ? -amount : amount).split('.');
  const shown = decimals.endsWith('00') ? decimals.slice(0, 2) : decimals;
  return `${amount < 0n ? '−' : ''}$${grouped(whole)}.${shown}`;
}

/** With its sign, also when it is a gain: "+$12.30". */
export function signedDollars(amount: UsdE4): string {
  return amount > 0n ? `+${dollars(amount)}` : dollars(amount);
}

/** 1234567 → "1,234,567". */
export function count(number: number | bigint): string {
  return grouped(String(number));
}

/** `part` of `whole` with two decimals, cut: "+1.25 %". Undefined of nothing. */
export function percent(part: UsdE4, whole: UsdE4): string | undefined {
  if (whole === 0n) return undefined;
  const hundredths = (part * 10_000n) / whole;
  const digits = String(hundredths < 0n ? -hundredths : hundredths).padStart(3, '0');
  const sign = hundredths < 0n ? '−' : hundredths > 0n ? '+' : '';
  return `${sign}${grouped(digits.slice(0, -2))}.${digits.slice(-2)} %`;
}

/** Undefined for "" and for what is no amount. */
export function usdOf(text: string | undefined): UsdE4 | undefined {
  return text === undefined || !/^-?\d{1,13}(\.\d{1,4})?$/.test(text) ? undefined : parseUsd(text);
}

/** "up", "down" or "even": never told by colour alone. */
export function directionOf(amount: UsdE4): 'up' | 'down' | 'even' {
  return amount > 0n ? 'up' : amount < 0n ? 'down' : 'even';
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',');
}
