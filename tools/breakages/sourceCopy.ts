import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const COPIED = ['apps', 'libs', 'tools', 'test', 'prisma', 'proto', 'package.json', 'tsconfig.json', 'tsconfig.base.json'];
const LEFT_OUT = ['node_modules', 'dist', '.nx'];
/** Where npm puts our own packages, as links to the folders that are copied. */
const OURS = '@stockbroker';

/** Text of one file, replaced. */
export interface Patch {
  /** From the root. */
  file: string;
  /** Must stand in the file exactly once. */
  find: string;
  replace: string;
}

/** Copies the sources of `root` to a new folder, with links to the installed packages: it runs like the original, and may be broken. */
export function copySources(root: string, to: string): void {
  for (const name of COPIED) {
    cpSync(join(root, name), join(to, name), { recursive: true, filter: (path) => !LEFT_OUT.includes(basename(path)) });
  }
  const [installed, linked] = [join(root, 'node_modules'), join(to, 'node_modules')];
  mkdirSync(join(linked, OURS), { recursive: true });
  for (const name of readdirSync(installed)) if (name !== OURS) symlinkSync(join(installed, name), join(linked, name));
  for (const folder of ['apps', 'libs']) {
    for (const name of readdirSync(join(to, folder))) symlinkSync(join(to, folder, name), join(linked, OURS, name));
  }
}

/** Changes one file of a copy. @throws Error see `patched` */
export function applyPatch(root: string, patch: Patch): void {
  const path = join(root, patch.file);
  writeFileSync(path, patched(readFileSync(path, 'utf8'), patch));
}

/** @throws Error when the text does not stand there exactly once: then the breakage must be written anew */
export function patched(text: string, { file, find, replace }: Patch): string {
  const times = text.split(find).length - 1;
  if (times !== 1) throw new Error(`${file} has this text ${times} times instead of once:\n${find}`);
  return text.replace(find, () => replace);
}
