import { HONEST, type MemoryExchange } from './memoryExchange.ts';
import type { Service } from './network.ts';
import { type Action, type MarketState, ROLES, type Role, SERVICES, type ServiceName } from './plan.ts';
import type { Simulation } from './simulation.ts';

const USUAL_QUOTE = { bid: 990_000n, ask: 1_000_000n, halted: false };
const QUOTES: Record<MarketState, Parameters<MemoryExchange['setQuote']>[1]> = {
  halted: { ...USUAL_QUOTE, halted: true },
  'halted without prices': { bid: null, ask: null, halted: true },
  'bid alone': { ...USUAL_QUOTE, ask: null },
  'ask alone': { ...USUAL_QUOTE, bid: null },
  'no quote': null,
};

/** Lets one action of the plan happen, and plans its end. */
export function act(simulation: Simulation, action: Action): void {
  const { world, servers, random, invariants } = simulation;
  const { network, exchange } = servers;
  if (action.kind !== 'place') simulation.progress.disturbed();
  switch (action.kind) {
    case 'place': {
      const { ticker: stockTicker, type, quantity, queueForOpen, cancelAfterMs } = action;
      simulation.clients[action.customer]?.place({ stockTicker, type, quantity, queueForOpen }, cancelAfterMs);
      break;
    }
    case 'kill':
      simulation.kill(action.role);
      world.after(action.backAfterMs, () => revive(simulation, action.role));
      break;
    case 'pause':
      simulation.processOf(action.role).pause(action.ms);
      break;
    case 'leave':
      void simulation.leave(action.role).then(() => world.after(action.backAfterMs, () => revive(simulation, action.role)));
      break;
    case 'drain':
      simulation.drain(action.role);
      break;
    case 'trap': {
      const { role, operation, moment, what, ms } = action;
      const spring = () => {
        simulation.progress.disturbed();
        simulation.tell(() => `${role}: ${what} ${moment} ${operation}`);
        if (what === 'pause') {
          simulation.processOf(role).pause(ms);
        } else {
          simulation.kill(role);
          world.after(ms, () => revive(simulation, role));
        }
      };
      network.traps.push({ process: simulation.processOf(role).name, operation, moment, spring });
      break;
    }
    case 'cut': {
      const { name } = simulation.processOf(action.role);
      network.cut(name, action.service);
      world.after(action.ms, () => network.restore(name, action.service));
      break;
    }
    case 'stop':
      network.stop(serviceOf(simulation, action.service));
      world.after(action.ms, () => network.start(serviceOf(simulation, action.service)));
      break;
    case 'wipe':
      servers.leases.wipe();
      servers.bus.wipe();
      invariants.leasesWereWiped = true;
      break;
    case 'restart-workers':
      void simulation.endWorkers(action.inOrder).then(() => world.after(action.gapMs, () => simulation.startMissing()));
      break;
    case 'lose-commits':
      simulation.loseCommits(action);
      break;
    case 'deaf': {
      const { name } = simulation.processOf(action.role);
      network.deafen(name);
      world.after(action.ms, () => network.hears(name));
      break;
    }
    case 'diverged':
      network.diverge(simulation.processOf(action.role).name, action.ms);
      break;
    case 'venue-closes':
      simulation.venueClosedUntilMs = Math.max(simulation.venueClosedUntilMs, world.nowMs + action.ms);
      break;
    case 'trouble':
      network.troubleRate = action.rate;
      network.maxDelayMs = action.maxDelayMs;
      world.after(action.ms, () => network.calm());
      break;
    case 'slow': {
      const service = serviceOf(simulation, action.service);
      service.slownessMs = action.delayMs;
      world.after(action.ms, () => {
        service.slownessMs = 0;
      });
      break;
    }
    case 'clock':
      simulation.processOf(action.role).jumpWallClock(action.jumpMs);
      break;
    case 'lie':
      exchange.behaviour = { ...HONEST, ...action.behaviour };
      world.after(action.ms, () => {
        exchange.behaviour = HONEST;
      });
      break;
    case 'stranger':
      exchange.makeUp(`ffffffff-0000-7000-8000-${String(random.between(0, 1e9)).padStart(12, '0')}`);
      break;
    case 'market': {
      exchange.setQuote(action.ticker, QUOTES[action.state]);
      world.after(action.ms, () => exchange.setQuote(action.ticker, USUAL_QUOTE));
      break;
    }
  }
}

/** Ends every fault: from here on all trades must come to their ends. */
export function heal(simulation: Simulation): void {
  simulation.progress.disturbed();
  const { network, exchange } = simulation.servers;
  simulation.tell(() => 'everything is healed');
  network.traps.length = 0;
  network.restoreAll();
  simulation.venueClosedUntilMs = 0;
  network.calm();
  for (const service of SERVICES.map((name) => serviceOf(simulation, name))) {
    network.start(service);
    service.slownessMs = 0;
  }
  exchange.behaviour = HONEST;
  for (const role of ROLES) simulation.processOf(role).resume();
  simulation.restartDrained();
  simulation.startMissing();
}

function revive(simulation: Simulation, role: Role): void {
  if (!simulation.processOf(role).isAlive) simulation.start(role);
}

function serviceOf({ servers }: Simulation, name: ServiceName): Service {
  return { database: servers.databaseService, nats: servers.natsService, exchange: servers.exchangeService }[name];
}
