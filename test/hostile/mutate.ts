import fc from 'fast-check';

/** Numbers at which integers break, as varints: 0, 1, 2^31 - 1, 2^31, -1, 2^63 - 1, and one of eleven bytes. */
const EDGES = ['00', '01', 'ffffffff07', '8080808008', 'ffffffffffffffffff01', 'ffffffffffffffff7f', 'ffffffffffffffffffffff'];
/** Text at which decoders break: not UTF-8, half a surrogate pair, a zero byte, what ends a quotation, 2 kB. */
const TEXTS = [
  Buffer.from('c328', 'hex'),
  Buffer.from('eda080', 'hex'),
  Buffer.from([0]),
  Buffer.from(`'; DROP TABLE trades; --`),
  Buffer.alloc(2_000, 'A'),
  Buffer.from('\u{1f4a5}\u202e'),
];

const field = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 16 }), fc.constantFrom(...EDGES))
    .map(([number, edge]) => Buffer.from([number << 3, ...Buffer.from(edge, 'hex')])),
  fc
    .tuple(fc.integer({ min: 1, max: 15 }), fc.constantFrom(...TEXTS))
    .map(([number, text]) => Buffer.concat([tagged(number, text.length), text])),
);

/** A message with one to four changes: bytes flipped, cut, doubled or put in, fields of hard values added, anything at all. */
export function mutated(message: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat({ max: Math.max(0, message.length) });
  const change = fc.oneof(
    fc.tuple(at, fc.nat({ max: 255 })).map(
      ([i, byte]) =>
        (b: Buffer) =>
          Buffer.concat([b.subarray(0, i), Buffer.from([byte]), b.subarray(i + 1)]),
    ),
    at.map((i) => (b: Buffer) => b.subarray(0, i)),
    at.map((i) => (b: Buffer) => b.subarray(i)),
    fc.tuple(at, at).map(
      ([i, j]) =>
        (b: Buffer) =>
          Buffer.concat([b.subarray(0, i), b.subarray(j)]),
    ),
    fc.tuple(at, fc.uint8Array({ maxLength: 40 })).map(
      ([i, more]) =>
        (b: Buffer) =>
          Buffer.concat([b.subarray(0, i), more, b.subarray(i)]),
    ),
    field.map((more) => (b: Buffer) => Buffer.concat([b, more])),
    field.map((more) => (b: Buffer) => Buffer.concat([more, b])),
  );
  return fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .array(change, { minLength: 1, maxLength: 4 })
        .map((changes) => changes.reduce((b, apply) => apply(b), message)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );
}

/** A tag of the wire type for text, and a length. */
function tagged(number: number, length: number): Buffer {
  const low = (length % 128) + (length >= 128 ? 128 : 0);
  return Buffer.from([(number << 3) | 2, low, ...(length >= 128 ? [Math.floor(length / 128)] : [])]);
}
