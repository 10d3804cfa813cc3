/**
 * Prices are whole ten-thousandths of a dollar in here: every US price has at most four decimals, and a number holds 900 billion
 * dollars of them exactly. On the wire they are decimal strings with four places.
 */

/** The highest price of the wire format, 999,999,999.9999 USD. */
const PRICE = /^(?:0|[1-9]\d{0,8})\.\d{4}$/;

/** "189.9200" → 1899200. Undefined when the text is no price above zero, or not written with four places. */
export function parsePriceE4(text: string): number | undefined {
  if (!PRICE.test(text)) return undefined;
  const priceE4 = Number(text.replace('.', ''));
  return priceE4 > 0 ? priceE4 : undefined;
}

/** 1899200 → "189.9200". */
export function formatPriceE4(priceE4: number): string {
  const digits = priceE4.toString().padStart(5, '0');
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
