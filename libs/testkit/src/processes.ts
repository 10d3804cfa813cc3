/*
 * The part of this library that starts processes, without the clients and checks that tests use: loading those takes 0.2 s, which a
 * start would notice.
 */

export { AppFailedError, type AppName, AppProcess } from './appProcess.ts';
export { cacheFolder } from './cacheFolder.ts';
export { NO_CALL_LIMITS } from './callLimits.ts';
export { type DemoCustomer, demoCustomers } from './demoCustomers.ts';
export { findNatsServer, NoNatsServerError } from './findNatsServer.ts';
export { claimFolder, FolderInUseError } from './folderClaim.ts';
export { type Gate, type GateOptions, openGate } from './gate.ts';
export { type Issuer, openIssuer } from './identity.ts';
export { type NatsCluster, type NatsNode, startNatsCluster, withLogin } from './natsCluster.ts';
export { type NatsServer, startNats } from './natsServer.ts';
export { ownEnvironment } from './ownEnvironment.ts';
export { createDatabase, dropDatabase, type PostgresServer, startPostgres, withClient } from './postgres.ts';
export { type PairState, type PostgresPair, startPostgresPair } from './postgresPair.ts';
export { ServerStartError } from './serverProcess.ts';
export { createSystem, issuerFolder, type System, type SystemOptions } from './system.ts';
