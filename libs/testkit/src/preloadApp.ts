/*
 * Runs `main.ts` of an app in two steps: loads the modules that it will need, then waits for its environment from the parent
 * process. So six processes load while the database starts, and none of them meets one that is not there yet.
 */
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [main = ''] = process.argv.slice(2);
const withoutParent = () => process.exit(1);
process.once('disconnect', withoutParent);
const environment = new Promise<Record<string, string>>((resolve) => {
  process.once('message', ({ env }: { env: Record<string, string> }) => resolve(env));
});
for (const module of ['app.ts', 'config.ts']) await import(pathToFileURL(join(dirname(main), module)).href);
Object.assign(process.env, await environment);
process.off('disconnect', withoutParent);
await import(pathToFileURL(main).href);
