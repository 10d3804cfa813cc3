export { type AppName, AppProcess } from './appProcess.ts';
export { type BooksOptions, type BooksReport, checkBooks } from './books.ts';
export { Broker } from './broker.ts';
export { checkEvidence } from './checks/checkEvidence.ts';
export type {
  ClientAnswer,
  ClientCall,
  ClientRequest,
  Evidence,
  JournalOrder,
  Lie,
  SeenAccount,
  SeenTrade,
  Violation,
} from './checks/evidence.ts';
export { historyOf } from './checks/history.ts';
export { readEvidence } from './checks/readEvidence.ts';
export { type TradingClient, tradingClient } from './client.ts';
export { Customer } from './customer.ts';
export { eventually } from './eventually.ts';
export { ExchangeActor, type FixedQuote } from './exchangeActor.ts';
export { findNatsServer, NoNatsServerError } from './findNatsServer.ts';
export { findPgbench, type Pgbench } from './findPgbench.ts';
export { findPgbouncer } from './findPgbouncer.ts';
export { type Gate, type GateOptions, openGate } from './gate.ts';
export { AUDIENCE, ISSUER, type Issuer, openIssuer } from './identity.ts';
export { type NatsCluster, type NatsNode, startNatsCluster } from './natsCluster.ts';
export { type NatsServer, startNats } from './natsServer.ts';
export { type PgbouncerServer, startPgbouncer } from './pgbouncer.ts';
export { createDatabase, dropDatabase, type PostgresServer, startPostgres } from './postgres.ts';
export { type PairState, type PostgresPair, startPostgresPair } from './postgresPair.ts';
export { commandOf, cpuSecondsOf, cpuSecondsOfChildren, descendantsOf, processStart, residentBytesOf } from './processTable.ts';
export { freePort } from './serverProcess.ts';
export { type BrokerOptions, startBroker } from './startBroker.ts';
export { type System, type SystemOptions, startSystem } from './system.ts';
export { Watcher } from './watcher.ts';
