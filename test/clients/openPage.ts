import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, openBrowser, type Page } from '@stockbroker/testkit/browser';
import { build } from 'esbuild';
import type { CallState, ClientName, PageCalls } from './page.ts';
import type { Call } from './pageClients.ts';

export interface PageServer {
  /** Of the page; other names of this machine are other origins. */
  readonly origin: string;
  readonly strangeOrigin: string;
  open(origin: string, url: string): Promise<CallingPage>;
  close(): Promise<void>;
}

/** Serves the page with all clients, bundled as a web application does it, and opens it in a browser. */
export async function servePage(): Promise<PageServer> {
  const entry = new URL('page.ts', import.meta.url).pathname;
  const bundled = build({ entryPoints: [entry], bundle: true, format: 'iife', platform: 'browser', write: false });
  const [{ outputFiles }, browser] = await Promise.all([bundled, openBrowser()]);
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><link rel="icon" href="data:,"><script src="/page.js"></script>');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    strangeOrigin: `http://127.0.0.1:${port}`,
    open: (origin, url) => CallingPage.open(browser, origin, url),
    close: async () => {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

type Given = Partial<Omit<Call, 'url' | 'method' | 'request'>>;

/** Makes calls from the page to one gateway. */
export class CallingPage {
  readonly #page: Page;
  readonly #url: string;

  /** Of all that has been answered by the gateway, as the browser names them: http/1.1 or h2. */
  readonly protocols = new Set<string>();

  private constructor(page: Page, url: string) {
    this.#page = page;
    this.#url = url;
  }

  /** Whose certificate the gateway's is does not matter. */
  static async open(browser: Browser, origin: string, url: string): Promise<CallingPage> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const calling = new CallingPage(page, url);
    const devTools = await context.newCDPSession(page);
    devTools.on('Network.responseReceived', ({ response }) => {
      if (response.url.startsWith(url)) calling.protocols.add(response.protocol ?? 'unknown');
    });
    await devTools.send('Network.enable');
    await page.goto(origin);
    return calling;
  }

  async start(client: ClientName, method: Call['method'], request: object, given: Given = {}): Promise<StartedCall> {
    const call: Call = { url: this.#url, method, request, token: '', timeoutMs: 0, zipped: false, ...given };
    const number = await this.#page.evaluate(
      ([name, made]) => (globalThis as unknown as { calls: PageCalls }).calls.start(name, made),
      [client, call] as const,
    );
    return new StartedCall(this.#page, number);
  }

  /** In one instant. */
  cancel(started: readonly StartedCall[]): Promise<void> {
    return this.#page.evaluate(
      (numbers) => {
        for (const number of numbers) (globalThis as unknown as { calls: PageCalls }).calls.cancel(number);
      },
      started.map(({ number }) => number),
    );
  }

  /** As when somebody closes the tab. */
  close(): Promise<void> {
    return this.#page.context().close();
  }

  /** The call's end. */
  async call(client: ClientName, method: Call['method'], request: object, given: Given = {}): Promise<CallState> {
    return (await this.start(client, method, request, given)).ended();
  }
}

export class StartedCall {
  readonly #page: Page;
  readonly number: number;

  constructor(page: Page, number: number) {
    this.#page = page;
    this.number = number;
  }

  ended(): Promise<CallState> {
    return this.#page.evaluate((number) => (globalThis as unknown as { calls: PageCalls }).calls.ended(number), this.number);
  }

  look(): Promise<CallState> {
    return this.#page.evaluate((number) => (globalThis as unknown as { calls: PageCalls }).calls.look(number), this.number);
  }

  cancel(): Promise<void> {
    return this.#page.evaluate((number) => (globalThis as unknown as { calls: PageCalls }).calls.cancel(number), this.number);
  }
}
