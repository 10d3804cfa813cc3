import { existsSync } from 'node:fs';
import { issuerFolder, openIssuer } from '@stockbroker/testkit/processes';
import { readArguments, runTool, UserError } from './cli.ts';
import { dataFolder } from './devFolder.ts';

const HELP = `npm run issuer: the keys of the development issuer, at which customers sign in to what npm start runs.

  npm run issuer -- rotate      signs with a new key from now on; the last one stays published, so that its tokens are good
  npm run issuer -- withdraw    publishes nothing but the key that signs: tokens of older ones end at the gateways' next reading

  --data-dir DIR  data of the npm start, when that was given one
  --help          this text

It need not run; what runs sees the new keys at once.
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
