import { parseWebhookSecret, RpcChannel, signWebhook } from '@stockbroker/rpc';
import { CallbackServiceDefinition, ExchangeServiceDefinition, ReportOrdersRequest } from '@stockbroker/rpc/exchange';
import type { AppProcess, Broker, BrokerOptions, Customer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { expect } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import type { Sign } from './callees.ts';

/** A server that strangers can reach, and what a good client of it does. */
export interface Target {
  name: 'gateway' | 'callback' | 'callback over HTTP' | 'exchange';
  address: string;
  port: number;
  process: AppProcess;
  /** Rejects unless the server serves. */
  good: () => Promise<unknown>;
}

/** A whole broker with one good customer, to be attacked. */
export interface Arena {
  broker: Broker;
  alice: Customer;
  gateway: Target;
  callback: Target;
  callbackHttp: Target;
  exchange: Target;
  /** The path of the HTTP callback. */
  path: string;
  sign: Sign;
  /** Every server still is the process that it was, and serves; nothing was stored that nobody asked for. */
  expectUnharmed: (options?: { quarantined?: number }) => Promise<void>;
  close: (context: Parameters<typeof expectExactBooks>[1]) => Promise<void>;
}

export async function openArena(options: Omit<BrokerOptions, 'databaseUrl'> = {}): Promise<Arena> {
  const broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } }, ...options });
  const alice = await broker.customer({ cash: usd('1000000.00') });
  const sign: Sign = (body, nowMs = Date.now()) => ({
    ...signWebhook(parseWebhookSecret(broker.system.callbackSecret), Buffer.from(body), nowMs),
  });
  const url = new URL(broker.callback(0).endpoints.http ?? '');
  const targets = [
    target('gateway', broker.gateway(0), broker.system.gatewayAddress, () => alice.account()),
    grpcCallback(broker, sign),
    target('callback over HTTP', broker.callback(0), url.host, async () => {
      const body = '{"reports": []}';
      const response = await fetch(url, { method: 'POST', body, headers: sign(body) });
      expect(response.status).toBe(200);
    }),
    exchangeTarget(broker),
  ] as const;
  const pids = targets.map(({ process }) => process.pid);
  const trades = await broker.db.trade.count();
  return {
    broker,
    alice,
    gateway: targets[0],
    callback: targets[1],
    callbackHttp: targets[2],
    exchange: targets[3],
    path: url.pathname,
    sign,
    expectUnharmed: async ({ quarantined = 0 } = {}) => {
      await Promise.all(targets.map(({ good }) => good()));
      expect(targets.map(({ process }) => process.pid)).toEqual(pids);
      expect([await broker.db.trade.count(), await broker.db.callbackQuarantine.count()]).toEqual([trades, quarantined]);
    },
    close: async (context) => {
      await expectExactBooks(broker, context);
      await closeBroker(broker);
    },
  };
}

function target(name: Target['name'], process: AppProcess, address: string, good: Target['good']): Target {
  return { name, process, address, port: Number(address.split(':')[1]), good };
}

function grpcCallback(broker: Broker, sign: Sign): Target {
  const address = (broker.callback(0).endpoints.grpc ?? '').replace('grpc://', '');
  const body = ReportOrdersRequest.encode({ reports: [] }).finish();
  return target('callback', broker.callback(0), address, () =>
    once(address, (channel) => channel.client(CallbackServiceDefinition).reportOrders({ reports: [] }, { headers: sign(body) })),
  );
}

function exchangeTarget(broker: Broker): Target {
  const { exchangeAddress: address, exchangeApiKey } = broker.system;
  const headers = { authorization: `Bearer ${exchangeApiKey}` };
  return target('exchange', broker.exchange.process, address, () =>
    once(address, (channel) => channel.client(ExchangeServiceDefinition).listInstruments({}, { headers })),
  );
}

/** Over a connection of its own: a good client that comes now, not one that has been there. */
async function once<T>(address: string, call: (channel: RpcChannel) => Promise<T>): Promise<T> {
  const channel = new RpcChannel(address);
  try {
    return await call(channel);
  } finally {
    channel.close();
  }
}
