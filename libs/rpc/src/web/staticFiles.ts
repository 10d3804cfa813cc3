import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { extname, join, relative } from 'node:path';
import { type HttpAnswer, headerOf } from '../http/listener.ts';
import { acceptedEncodings } from './compress.ts';

/** A file as it is sent, plain and in the encodings that were made of it beforehand. */
interface StaticFile {
  headers: Record<string, string>;
  etag: string;
  plain: Buffer;
  /** By the name of the encoding, the best first. */
  encoded: [encoding: string, body: Buffer][];
}

const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};
/** What is made of `app.js` beforehand: `app.js.br` and `app.js.gz`. */
const ENCODINGS: [encoding: string, extension: string][] = [
  ['br', '.br'],
  ['gzip', '.gz'],
];
const MOST_BYTES = 64 * 1024 * 1024;
const FOR_EVER = 'public, max-age=31536000, immutable';

/**
 * The files of a folder as they were when it was read: what is asked for is looked up among them, and never on the disk.
 * `index.html` is the page of "/". Files under `assets/` must have a hash in their names: browsers keep them for ever.
 */
export class StaticFiles {
  readonly #files = new Map<string, StaticFile>();

  /** @param more files that are not in the folder, by their paths, e.g. "/config.json". @throws Error */
  constructor(root: string, headers: Record<string, string>, more: Record<string, string> = {}) {
    const contents = new Map<string, Buffer>();
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue;
      const file = join(entry.parentPath, entry.name);
      contents.set(`/${relative(root, file).replaceAll('\\', '/')}`, readFileSync(file));
    }
    for (const [path, content] of Object.entries(more)) contents.set(path, Buffer.from(content));
    const bytes = contents.values().reduce((sum, content) => sum + content.length, 0);
    if (bytes > MOST_BYTES) throw new Error(`${root} has ${bytes} bytes: too many to be kept in memory`);
    if (!contents.has('/index.html')) throw new Error(`there is no index.html in ${root}`);
    for (const [path, plain] of contents) {
      const type = CONTENT_TYPES[extname(path)];
      if (type === undefined) continue; // Also what was encoded beforehand: it is sent under the name of the plain file.
      const encoded = ENCODINGS.flatMap(([encoding, extension]) => {
        const body = contents.get(path + extension);
        return body === undefined ? [] : [[encoding, body] as [string, Buffer]];
      });
      this.#files.set(path === '/index.html' ? '/' : path, {
        headers: { ...headers, 'content-type': type, 'cache-control': path.startsWith('/assets/') ? FOR_EVER : 'no-cache' },
        etag: createHash('sha256').update(plain).digest('base64url').slice(0, 22),
        plain,
        encoded,
      });
    }
  }

  /** The answer to a GET or HEAD; undefined when there is no such file. */
  answer({ url = '/', headers }: IncomingMessage): HttpAnswer | undefined {
    const file = this.#files.get(url.split('?', 1)[0] ?? '/');
    if (file === undefined) return undefined;
    const accepted = acceptedEncodings(headerOf(headers, 'accept-encoding'));
    const [encoding, body] = file.encoded.find(([name]) => accepted.has(name)) ?? [undefined, file.plain];
    const etag = `"${file.etag}${encoding === undefined ? '' : `-${encoding}`}"`;
    const sent = {
      ...file.headers,
      etag,
      vary: 'accept-encoding, origin',
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    };
    const known = (headerOf(headers, 'if-none-match') ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
    if (known.includes(etag)) return { status: 304, headers: sent, body: '' };
    return { status: 200, headers: sent, body };
  }
}
