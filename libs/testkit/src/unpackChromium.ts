import { execFile } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createBrotliDecompress } from 'node:zlib';
import { cacheFolder } from './cacheFolder.ts';
import type { Chromium } from './findChromium.ts';
import { inWorkFolder } from './workFolder.ts';

/*
 * Chromium's headless shell for Linux on x64, out of a package of the registry: locked like every dependency, and it needs nothing of
 * the machine but libc. (Debian's chromium needs some hundred other packages, and root to install them.) The package's own function
 * unpacks to /tmp/chromium, where another account may have put something, or another process be half done: hence this one.
 */

/** Unpacks it into a folder of the cache, once. */
export async function unpackChromium(asked: string | undefined, log: (line: string) => void): Promise<Chromium> {
  const folder = fileURLToPath(new URL('..', import.meta.resolve('@sparticuz/chromium')));
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  const cacheDir = asked ?? cacheFolder('bin', `chromium-${version}`);
  const target = join(cacheDir, `chromium-${version}`);
  if (!existsSync(target)) {
    log(`unpacking Chromium ${version} into ${target} (once, 220 MB, some seconds)`);
    await inWorkFolder(cacheDir, async (work) => {
      const made = join(work, 'chromium');
      mkdirSync(made);
      const libraries = ['al2023.tar.br', 'fonts.tar.br', 'swiftshader.tar.br'].map((name) =>
        untar(join(folder, 'bin', name), made),
      );
      await Promise.all([decompress(join(folder, 'bin', 'chromium.br'), join(made, 'chromium')), ...libraries]);
      writeFileSync(join(made, 'fonts.conf'), fontsConfiguration);
      moveInto(made, target);
    });
  }
  return {
    program: join(target, 'chromium'),
    env: { LD_LIBRARY_PATH: join(target, 'lib'), FONTCONFIG_FILE: join(target, 'fonts.conf') },
  };
}

/** A machine without a screen often has no fonts. */
const fontsConfiguration = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
</fontconfig>
`;

const decompress = (archive: string, target: string) =>
  pipeline(createReadStream(archive), createBrotliDecompress(), createWriteStream(target, { mode: 0o755 }));

/** By way of a file: tar may end before its input does, and a stream into it would then count as broken. */
async function untar(archive: string, folder: string): Promise<void> {
  const tar = join(folder, basename(archive, '.br'));
  await decompress(archive, tar);
  await promisify(execFile)('tar', ['-xf', tar, '--no-same-owner', '-C', folder]);
  rmSync(tar);
}

/** Another process may have been quicker: then its folder is there, with the same in it. */
function moveInto(from: string, target: string): void {
  try {
    renameSync(from, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}
