import { invalidField } from './errors.ts';

/** How many items a page has, as AIP-158 says: 0 is the default, more than the most is the most. */
export function pageSize(asked: number, { standard, most }: { standard: number; most: number }): number {
  if (asked < 0) throw invalidField('page_size', 'must not be negative');
  return asked === 0 ? standard : Math.min(asked, most);
}

/** A token that says where the next page begins. `filter` binds it to the request it was made for. */
export function writePageToken(position: string, filter: string): string {
  return Buffer.from(JSON.stringify([position, filter])).toString('base64url');
}

/** @returns the position, null for the first page. @throws RpcError INVALID_ARGUMENT for a token that was not made for this request */
export function readPageToken(token: string, filter: string, isPosition: RegExp): string | null {
  if (token === '') return null;
  const parts = parse(token);
  if (Array.isArray(parts) && typeof parts[0] === 'string' && isPosition.test(parts[0]) && parts[1] === filter) return parts[0];
  throw invalidField('page_token', 'must be the next_page_token of the page before, with the same filter');
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return null; // Not a token of ours, which the caller says.
  }
}
