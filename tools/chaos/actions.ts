import type { Make, Scene } from './action.ts';
import { behave, forge, jump, overfill, requote } from './exchangeFaults.ts';
import type { KindName } from './kinds.ts';
import { balancer, closeMarket, joinAndLeave, kill, partition, pause, restart } from './processFaults.ts';
import {
  failOver,
  killNatsNode,
  killPrimary,
  loseNats,
  loseStandby,
  pauseNatsNode,
  pausePrimary,
  restartNats,
  wipeNatsNode,
} from './serverFaults.ts';

const workers = ({ world }: Scene) => world.workers;
const gateways = ({ world }: Scene) => world.system.gateways;
const callbacks = ({ world }: Scene) => world.system.callbacks;
const exchange = ({ world }: Scene) => [world.system.exchange];

/** How each kind of fault is made. */
export const ACTIONS: Record<KindName, Make> = {
  'worker.kill': kill(workers),
  'worker.pause': pause(workers),
  'worker.pause-long': pause(workers),
  'worker.restart': restart(workers),
  'worker.join': joinAndLeave,
  'worker.cut-nats': partition('nats', 'cut'),
  'worker.stall-nats': partition('nats', 'stall'),
  'worker.cut-postgres': partition('postgres', 'cut'),
  'worker.stall-postgres': partition('postgres', 'stall'),
  'worker.cut-exchange': partition('exchange', 'cut'),
  'worker.stall-exchange': partition('exchange', 'stall'),
  'gateway.kill': kill(gateways),
  'gateway.pause': pause(gateways),
  'gateway.restart': restart(gateways),
  'callback.kill': kill(callbacks),
  'callback.pause': pause(callbacks),
  'callback.restart': restart(callbacks),
  'balancer.cut': balancer('cut'),
  'balancer.stall': balancer('stall'),
  'exchange.kill': kill(exchange),
  'exchange.pause': pause(exchange),
  'exchange.unavailable': behave({ unavailable: true }),
  'exchange.swallow': behave({ swallowAnswers: true }),
  'exchange.slow': behave({ latencyMaxMs: 3_000 }),
  'exchange.reject': behave({ rejectRate: 0.33 }),
  'exchange.duplicate': behave({ duplicateRate: 0.8 }),
  'exchange.late': behave({ lateRate: 0.8, lateMs: 3_000 }),
  'exchange.reorder': behave({ reorderRate: 1 }),
  'exchange.drop': behave({ dropRate: 0.7 }),
  'exchange.conflict': behave({ conflictRate: 0.8 }),
  'exchange.forge': forge,
  'exchange.overfill': overfill,
  'exchange.halt': requote((quote) => ({ ...quote, halted: true })),
  'exchange.no-quote': requote((quote) => ({ ...quote, bid: '', ask: '' })),
  'exchange.jump': requote(jump),
  'market.close': closeMarket,
  'nats.kill': killNatsNode,
  'nats.pause': pauseNatsNode,
  'nats.wipe': wipeNatsNode,
  'nats.restart-all': restartNats,
  'nats.lose-all': loseNats,
  'postgres.kill': killPrimary,
  'postgres.pause': pausePrimary,
  'postgres.fail-over': failOver,
  'postgres.lose-standby': loseStandby,
};
