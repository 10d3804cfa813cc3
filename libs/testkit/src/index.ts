export { type AppName, AppProcess } from './appProcess.ts';
export { type BooksOptions, type BooksReport, checkBooks } from './books.ts';
export { type TradingClient, tradingClient } from './client.ts';
export { findNatsServer, NoNatsServerError } from './findNatsServer.ts';
export { AUDIENCE, ISSUER, type Issuer, openIssuer } from './identity.ts';
export { type NatsServer, startNats } from './natsServer.ts';
export { createDatabase, dropDatabase, type PostgresServer, startPostgres } from './postgres.ts';
export { freePort } from './serverProcess.ts';
export { type System, type SystemOptions, startSystem } from './system.ts';
