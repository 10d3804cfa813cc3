import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Where a function stands, as V8's profiles have it: lines and columns count from 0. */
export interface Frame {
  functionName: string;
  url: string;
  lineNumber: number;
  columnNumber: number;
}

/** The package, library or app that a function belongs to; undefined for one that is no JavaScript. */
export type ModuleOf = (frame: Frame) => string | undefined;

const PROFILE = 'the profile itself';

/** Reads the source maps of bundles, once each. */
export function modulesOfBundles(): ModuleOf {
  const maps = new Map<string, SourceMap>();
  const mapOf = (url: string) => {
    const known = maps.get(url) ?? new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
    maps.set(url, known);
    return known;
  };
  return ({ url, lineNumber, columnNumber }) => {
    if (url === '') return undefined;
    if (url === 'node:inspector' || url.endsWith('/inProcess.ts')) return PROFILE;
    if (!url.startsWith('file:')) return `node:${nodeModule(url)}`;
    const entry = mapOf(url).findEntry(lineNumber, columnNumber);
    return 'originalSource' in entry ? moduleOfSource(entry.originalSource) : 'the bundle';
  };
}

/** "node:internal/http2/core" is of http2. */
function nodeModule(url: string): string {
  return url.replace(/^node:(internal\/)?/, '').split('/')[0] ?? '';
}

/** @param source a path as a source map has it */
export function moduleOfSource(source: string): string {
  const [, inPackage] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
  const [own] = /(?:libs|apps)\/[^/]+/.exec(source) ?? [];
  return inPackage ?? own ?? source;
}
