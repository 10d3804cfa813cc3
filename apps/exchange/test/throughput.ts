import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sleep } from '@stockbroker/runtime';
import { cleanUp, order, SLOW, startExchange } from './harness.ts';

/**
 * Orders a second through a real exchange process: submitted in batches by some callers at once, completed, and reported to an HTTP server
 * that only counts. `node test/throughput.ts [orders] [batch] [callers] [latencyMs]`
 */
const [orders = 50_000, batch = 100, callers = 8, latencyMs = 0] = process.argv.slice(2).map(Number);

let reported = 0;
let messages = 0;
const sink = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf('executionId'); at >= 0; at = chunk.indexOf('executionId', at + 1)) reported += 1;
  });
  request.on('end', () => {
    messages += 1;
    response.end();
  });
});
sink.listen(0, '127.0.0.1');
await once(sink, 'listening');
const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/callback`;
process.once('exit', cleanUp);
const exchange = await startExchange({ EXCHANGE_LATENCY_MAX_MS: String(latencyMs) });

let left = orders;
const started = performance.now();
const perSecond = () => Math.round((orders / (performance.now() - started)) * 1_000);
const caller = async () => {
  while (left > 0) {
    left -= batch;
    await exchange.orders.submitOrders({ orders: Array.from({ length: batch }, () => order(url)) }, SLOW);
  }
};
await Promise.all(Array.from({ length: callers }, caller));
const accepted = perSecond();
// A word cut by a chunk's end is not counted.
while (reported < orders * 0.999) await sleep(2);
const figures = { orders, batch, callers, latencyMs, acceptedPerSecond: accepted, reportedPerSecond: perSecond(), messages };
process.stdout.write(`${JSON.stringify(figures)}\n`);
await exchange.stop();
sink.closeAllConnections();
sink.close();
