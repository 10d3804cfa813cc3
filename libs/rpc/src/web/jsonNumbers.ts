import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { FieldViolation } from '../rpcError.ts';

const DECIMAL = /^-?(?:0|[1-9]\d*)$/;
const FRACTION = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity)$/;
const NO_INTEGERS = new Set([ScalarType.BOOL, ScalarType.STRING, ScalarType.BYTES, ScalarType.DOUBLE, ScalarType.FLOAT]);
/** Of a value that is repeated to its sender. */
const MAX_SHOWN = 40;
const MOST = 20;

/**
 * What is wrong with the numbers of a message in JSON, in all its depth. Whatever parses messages after this makes numbers of texts as
 * JavaScript does, which reads "0x10", "0b101", "+5", "5." and "" as well. Texts must be as JSON itself writes whole numbers: decimal
 * digits, without leading zeros. What JSON has as a number may be written in any way that is whole, 5.0 and 1e1 too, as protobuf
 * says; but one beyond 2^53 has lost digits on its way here, and must be sent as a text.
 */
export function numberProblems(desc: DescMessage, json: unknown): FieldViolation[] {
  return [...problemsOf(desc, json, '')].slice(0, MOST);
}

function* problemsOf(desc: DescMessage, json: unknown, path: string): Generator<FieldViolation> {
  // Those of protobuf itself have spellings of their own.
  if (typeof json !== 'object' || json === null || desc.typeName.startsWith('google.protobuf.')) return;
  for (const field of desc.fields) {
    for (const key of new Set([field.name, field.jsonName])) {
      const value = Object.hasOwn(json, key) ? (json as Record<string, unknown>)[key] : undefined;
      if (value !== undefined && value !== null) yield* problemsOfField(field, value, path + field.name);
    }
  }
}

function* problemsOfField(field: DescField, value: unknown, path: string): Generator<FieldViolation> {
  switch (field.fieldKind) {
    case 'scalar':
      yield* problemsOfScalar(field.scalar, value, path);
      break;
    case 'message':
      yield* problemsOf(field.message, value, `${path}.`);
      break;
    case 'list':
    case 'map': {
      const elements = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      for (const [at, element] of elements) {
        if (field.message !== undefined) yield* problemsOf(field.message, element, `${path}[${at}].`);
        else if (field.scalar !== undefined) yield* problemsOfScalar(field.scalar, element, `${path}[${at}]`);
      }
      break;
    }
    default: // Enums are named.
  }
}

function* problemsOfScalar(type: ScalarType, value: unknown, field: string): Generator<FieldViolation> {
  const isFraction = type === ScalarType.DOUBLE || type === ScalarType.FLOAT;
  if (!isFraction && NO_INTEGERS.has(type)) return;
  const isFine =
    typeof value === 'number'
      ? isFraction || Number.isSafeInteger(value)
      : typeof value === 'string' && (isFraction ? FRACTION : DECIMAL).test(value);
  if (isFine) return;
  const wanted = isFraction ? 'must be a number' : 'must be a whole number in decimal digits, beyond 2^53 as a string';
  yield { field, description: `${wanted}, but is ${shown(value)}` };
}

/** Of what is no text and no number only the kind: it may be as deep as it likes. */
function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? JSON.stringify(value.slice(0, MAX_SHOWN)) : `of the type ${typeof value}`;
}
