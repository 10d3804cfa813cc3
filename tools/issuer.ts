import { existsSync } from 'node:fs';
import { issuerFolder, openIssuer } from '@stockbroker/testkit/processes';
import { readArguments, runTool, UserError } from './cli.ts';
import { dataFolder } from './devFolder.ts';

const HELP = `npm run issuer: replaces the keys of the development issuer, where customers of the broker that npm start runs sign in.

  npm run issuer -- rotate      signs with a new key from now on; the last one stays published, so its tokens remain valid
  npm run issuer -- withdraw    publishes only the key that signs; gateways refuse tokens of older keys once they read the keys again

  --data-dir DIR  the data folder of the npm start, if it was started with one
  --help          this text

The issuer need not be running; a running issuer uses the new keys at once.
`;

await runTool(async () => {
  const { values, positionals } = readArguments(HELP, { 'data-dir': { type: 'string' } });
  const [command = '', ...rest] = positionals;
  if (!['rotate', 'withdraw'].includes(command) || rest.length > 0) throw new UserError('Say what to do: rotate or withdraw.');
  const folder = issuerFolder(dataFolder(values['data-dir']));
  if (!existsSync(folder)) throw new UserError('There are no keys here yet: the first npm start makes them.');
  const issuer = await openIssuer(folder);
  if (command === 'rotate') await issuer.rotate();
  else issuer.withdraw();
  const kids = issuer.jwks().keys.map(({ kid }) => kid);
  process.stdout.write(`Published: ${kids.join(' and ')}; ${kids[0]} signs.\n`);
  return 0;
});
