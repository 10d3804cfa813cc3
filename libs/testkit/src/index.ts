export { createDatabase, dropDatabase, type PostgresServer, startPostgres } from './postgres.ts';
export { findNatsServer, NoNatsServerError } from './findNatsServer.ts';
export { type NatsServer, startNats } from './natsServer.ts';
export { freePort } from './serverProcess.ts';
export { type AppName, AppProcess } from './appProcess.ts';
export { AUDIENCE, ISSUER, type Issuer, openIssuer } from './identity.ts';
export { startSystem, type System, type SystemOptions } from './system.ts';
export { tradingClient, type TradingClient } from './client.ts';
