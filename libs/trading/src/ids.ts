const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_IN_ANY_CASE = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

/** Lower-case canonical text only, so that one id has one spelling everywhere. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * An id as it comes from outside, in its one spelling: some libraries write capitals, and the hash that a customer's partition comes
 * from, the maps and the comparisons know letters only. For each place where an id comes in.
 *
 * @returns undefined when it is none
 */
export function uuidOf(text: string): string | undefined {
  return UUID_IN_ANY_CASE.test(text) ? text.toLowerCase() : undefined;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * A UUID version 7 (RFC 9562): its first 48 bits are the time, so that new trades land side by side in an index.
 *
 * @param unixMs milliseconds since 1970
 * @param random 10 random bytes
 */
export function uuidV7(unixMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(unixMs) << 16n);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  let hex = '';
  for (const byte of bytes) hex += HEX[byte];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
