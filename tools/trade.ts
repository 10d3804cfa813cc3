import { randomUUID } from 'node:crypto';
import { type BrokerClient, BrokerError } from '@stockbroker/client';
import { Account, Quote, Trade, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { readArguments, runTool, table, UserError, wholeNumber } from './cli.ts';
import { placeAndFollow } from './placeAndFollow.ts';
import { accountTable, changeLines, isBuy, quoteTable, tradeDetails, tradeTable, tradeValue } from './printTrades.ts';
import { openClient, plain } from './tradeClient.ts';

const HELP = `npm run trade: a client of the broker, over gRPC.

  npm run trade -- buy  <ticker> <quantity>   places a trade and follows it to its end
  npm run trade -- sell <ticker> <quantity>
  npm run trade -- cancel <orderId>           cancels a trade that has not been sent yet
  npm run trade -- list                       trades, newest first
  npm run trade -- show <orderId>             everything about one trade
  npm run trade -- account                    cash and shares
  npm run trade -- quote <ticker>             the latest prices
  npm run trade -- instruments                the stocks that can be traded
  npm run trade -- token                      a bearer token for other clients, e.g. grpcurl

  --customer NAME       alice, bob, carol, dave, or a customer id; default alice
  --client-order-id ID  buy, sell: your own id for the trade. To repeat a command whose outcome is unknown, use the same id
                        again: the trade is placed once
  --queue-for-open      buy, sell: outside the session, the trade waits for the next session instead of being rejected
  --timeout SECONDS     how long to wait for a trade to end, or for an answer; default 30
  --limit N             list: how many trades; default 20
  --json                prints one JSON document at the end: messages as in the proto (JSON mapping), money as exact
                        decimals. For buy and sell: { trade, cost or proceeds, account }
  --gateway HOST:PORT   default: GATEWAY_ADDRESS, or the gateway that npm start runs here; https://HOST:PORT with TLS
  --ca FILE             PEM file of the authorities that sign the gateway's certificate; default: GATEWAY_CA, or Node's own
  --token TOKEN         default: STOCKBROKER_TOKEN, or one made with the keys of npm start
  --data-dir DIR        the data folder of the npm start to call, if it was started with one
  --help                this text

Exit code: 0 done (for buy and sell: filled), 2 the trade was rejected, 1 anything else.
`;

const OPTIONS = {
  customer: { type: 'string' },
  'client-order-id': { type: 'string' },
  'queue-for-open': { type: 'boolean', default: false },
  timeout: { type: 'string', default: '30' },
  limit: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false },
  gateway: { type: 'string' },
  ca: { type: 'string' },
  token: { type: 'string' },
  'data-dir': { type: 'string' },
} as const;

/** Lists longer than this come in pages. */
const PAGE_SIZE = 500;

interface Call {
  broker: BrokerClient;
  args: string[];
  json: boolean;
  clientOrderId: string;
  queueForOpen: boolean;
  limit: number;
  timeoutMs: number;
  token: string;
}

const commands: Record<string, { args: string[]; run: (call: Call) => Promise<number> }> = {
  buy: { args: ['ticker', 'quantity'], run: (call) => trade(TradeType.TRADE_TYPE_BUY, call) },
  sell: { args: ['ticker', 'quantity'], run: (call) => trade(TradeType.TRADE_TYPE_SELL, call) },
  cancel: { args: ['orderId'], run: cancel },
  list: { args: [], run: list },
  show: { args: ['orderId'], run: show },
  account: { args: [], run: account },
  quote: { args: ['ticker'], run: quote },
  instruments: { args: [], run: instruments },
  token: { args: [], run: token },
};

await runTool(async () => {
  const { values, positionals } = readArguments(HELP, OPTIONS);
  const [name, ...args] = positionals;
  const command = commands[name ?? ''];
  if (command === undefined) {
    const problem = name === undefined ? 'Say what to do' : `There is no command ${JSON.stringify(name)}`;
    throw new UserError(`${problem}: ${Object.keys(commands).join(', ')}. More with --help.`);
  }
  if (args.length !== command.args.length) {
    throw new UserError(`Usage: npm run trade -- ${[name, ...command.args.map((arg) => `<${arg}>`)].join(' ')}`);
  }
  const seconds = wholeNumber('--timeout', values.timeout, { min: 1, max: 86_400 });
  const limit = wholeNumber('--limit', values.limit, { min: 1, max: 100_000 });
  const timeoutMs = seconds * 1_000;
  const { broker, address, token, close } = await openClient({ ...values, timeoutMs, onRetry: tellRetry });
  try {
    const clientOrderId = values['client-order-id'] ?? randomUUID();
    return await command.run({
      broker,
      args,
      json: values.json,
      clientOrderId,
      queueForOpen: values['queue-for-open'],
      limit,
      timeoutMs,
      token,
    });
  } catch (error) {
    const isSilent = error instanceof BrokerError && (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED');
    throw isSilent ? new UserError(`The gateway at ${address} does not answer: ${plain(error)}.`, { cause: error }) : error;
  } finally {
    close();
  }
});

async function trade(type: TradeType, { broker, args, json, clientOrderId, queueForOpen, timeoutMs }: Call): Promise<number> {
  const [stockTicker, quantity] = [tickerOf(args[0]), wholeNumber('The quantity', args[1] ?? '', { min: 1, max: 1_000_000 })];
  let printed: TradeStatus = TradeStatus.TRADE_STATUS_UNSPECIFIED;
  const onChange = (changed: Trade) => {
    if (!json) print(changeLines(changed, printed).join('\n'));
    printed = changed.status;
  };
  const ended = await placeAndFollow(
    broker,
    { stockTicker, type, quantity, clientOrderId, queueForOpen },
    { timeoutMs, onChange },
  );
  const after = await broker.getAccount();
  if (json) {
    const value = tradeValue(ended);
    const gained = value === undefined ? {} : { [isBuy(ended) ? 'cost' : 'proceeds']: value };
    printJson({ trade: Trade.toJSON(ended), ...gained, account: Account.toJSON(after) });
  } else {
    print(`\n${accountTable(after, stockTicker)}`);
  }
  return ended.status === TradeStatus.TRADE_STATUS_FILLED ? 0 : 2;
}

async function list({ broker, json, limit }: Call): Promise<number> {
  const trades: Trade[] = [];
  for (let pageToken = ''; trades.length < limit; ) {
    const pageSize = Math.min(PAGE_SIZE, limit - trades.length);
    const page = await broker.listTrades({ pageSize, pageToken });
    trades.push(...page.trades);
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
  }
  if (json) printJson({ trades: trades.map((each) => Trade.toJSON(each)) });
  else print(trades.length === 0 ? 'No trades yet.' : tradeTable(trades));
  return 0;
}

async function cancel({ broker, args, json }: Call): Promise<number> {
  const canceled = await broker.cancelTrade(args[0] ?? '');
  if (json) printJson(Trade.toJSON(canceled));
  else print(tradeDetails(canceled));
  return 0;
}

async function show({ broker, args, json }: Call): Promise<number> {
  const found = await broker.getTrade(args[0] ?? '');
  if (json) printJson(Trade.toJSON(found));
  else print(tradeDetails(found));
  return 0;
}

async function account({ broker, json }: Call): Promise<number> {
  const found = await broker.getAccount();
  if (json) printJson(Account.toJSON(found));
  else print(accountTable(found));
  return 0;
}

async function quote({ broker, args, json }: Call): Promise<number> {
  const latest = await broker.getQuote(tickerOf(args[0]));
  if (json) printJson(Quote.toJSON(latest));
  else print(quoteTable(latest));
  return 0;
}

async function instruments({ broker, json }: Call): Promise<number> {
  const all = await broker.listInstruments();
  if (json) printJson({ instruments: all });
  else print(table(all.map((each) => [each.stockTicker, each.name])));
  return 0;
}

async function token({ token, json }: Call): Promise<number> {
  if (json) printJson({ token });
  else print(token);
  return 0;
}

function tellRetry(error: BrokerError, waitMs: number): void {
  process.stderr.write(`${error.code}: ${plain(error)}; trying again in ${(waitMs / 1_000).toFixed(1)} s\n`);
}

function tickerOf(text: string | undefined): string {
  return (text ?? '').toUpperCase();
}

function print(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`);
}

function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
