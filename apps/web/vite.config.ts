import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Under this, a page of the network holds it anyway. */
const LEAST_BYTES = 1_024;

/** `app.js.br` and `app.js.gz` beside each `app.js`: the gateway sends them as they are. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir = '' }) {
      const entries = await readdir(dir, { recursive: true, withFileTypes: true });
      const texts = entries.filter((entry) => entry.isFile() && /\.(js|css|html|svg)$/.test(entry.name));
      await Promise.all(
        texts.map(async ({ parentPath, name }) => {
          const file = join(parentPath, name);
          const bytes = await readFile(file);
          if (bytes.length < LEAST_BYTES) return;
          await Promise.all([
            promisify(brotliCompress)(bytes).then((small) => writeFile(`${file}.br`, small)),
            promisify(gzip)(bytes, { level: 9 }).then((small) => writeFile(`${file}.gz`, small)),
          ]);
        }),
      );
    },
  };
}

export default defineConfig({
  plugins: [compressed()],
  build: {
    target: 'es2022',
    // Every browser that has what the page needs preloads modules by itself.
    modulePreload: { polyfill: false },
    // Nothing inline: the policy of the page allows its own files only.
    assetsInlineLimit: 0,
  },
});
