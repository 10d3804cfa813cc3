import { eventually } from '@stockbroker/testkit';
import type { AppProcess } from '@stockbroker/testkit/processes';
import { ifFree, type Make, nothing, pickFree, type Scene } from './action.ts';
import { LEASE_TTL_MS } from './servers.ts';
import type { WorkerStart } from './world.ts';

/** Whoever strikes the same process next finds it well, unless something else keeps it down for longer. */
const WELL_MS = 20_000;

type Choose = (scene: Scene) => readonly AppProcess[];

/** kill -9; its supervisor starts it again. */
export function kill(choose: Choose): Make {
  return (scene) => {
    const victim = pickFree(scene, choose(scene));
    if (victim === undefined) return undefined;
    const begin = async () => {
      const killed = victim.name.startsWith('worker') ? scene.takeovers.killing(victim.name) : undefined;
      await (await killed)?.();
      await victim.kill();
    };
    return { target: victim.name, locks: [victim.name], begin, end: () => untilWell(victim) };
  };
}

/** SIGSTOP, and SIGCONT. */
export function pause(choose: Choose): Make {
  return (scene) => {
    const victim = pickFree(scene, choose(scene));
    if (victim === undefined) return undefined;
    const end = async () => {
      victim.signal('SIGCONT');
      await untilWell(victim);
    };
    return { target: victim.name, locks: [victim.name], begin: async () => victim.signal('SIGSTOP'), end };
  };
}

/** SIGTERM: it finishes what it began and ends; its supervisor starts it again. */
export function restart(choose: Choose): Make {
  return (scene) => {
    const victim = pickFree(scene, choose(scene));
    if (victim === undefined) return undefined;
    const { pid } = victim;
    const begin = async () => {
      victim.signal('SIGTERM');
      await eventually(
        () => victim.pid,
        (now) => (now !== undefined && now !== pid) || scene.world.isGone(victim), // It may have been about to leave.
        { what: `another process of ${victim.name}` },
      );
    };
    return { target: victim.name, locks: [victim.name], begin, end: () => untilWell(victim) };
  };
}

/** A worker joins, and leaves in order. @param choose what is odd about it */
function join(what: string, choose: (scene: Scene) => WorkerStart = () => ({})): Make {
  return (scene) => {
    const { world, isFree } = scene;
    if (!isFree('a joining worker')) return undefined;
    let joined: AppProcess | undefined;
    return {
      target: what,
      locks: ['a joining worker'],
      begin: async () => {
        joined = await world.addWorker(choose(scene));
      },
      end: async () => {
        if (joined !== undefined) await world.removeWorker(joined);
      },
    };
  };
}

export const joinAndLeave = join('one more worker');

/** Most clocks are off by what a time server leaves, some by a wrong time zone. */
const WRONG_BY_MS = [-400, 3_600_000, 400, -3_600_000];

export const joinWithWrongClock = join('one more worker', ({ choice }) => ({
  clockOffsetMs: WRONG_BY_MS[Math.floor(choice * WRONG_BY_MS.length)] ?? 0,
}));

/** Every write to it fails: there is no space left. */
export const joinWithFullLog = join('one more worker', () => ({ logFile: '/dev/full' }));

/** For the fault's time there is no worker at all. */
export function replaceAll(how: 'stopped' | 'killed'): Make {
  return (scene) => {
    const { world } = scene;
    const begin = async () => {
      await Promise.all(world.workers.map((worker) => world.removeWorker(worker, how)));
    };
    const end = async () => {
      await world.addWorkers();
    };
    return ifFree(scene, { target: 'all workers', locks: ['a joining worker'], begin, end });
  };
}

/** Shorter and longer than by default. */
const OTHER_LIFETIMES_MS = ['1500', '6000'];

/** As when an operator changes it: for a while there are workers with either. */
export const changeLifetime: Make = (scene) => {
  const { world, choice } = scene;
  const ttlMs = OTHER_LIFETIMES_MS[Math.floor(choice * OTHER_LIFETIMES_MS.length)] ?? '6000';
  return ifFree(scene, {
    target: `all workers, to ${ttlMs}`,
    locks: ['a joining worker'],
    begin: () => world.replaceWorkers({ LEASE_TTL_MS: ttlMs }),
    end: () => world.replaceWorkers({ LEASE_TTL_MS: String(LEASE_TTL_MS) }),
  });
};

/** Outside the hours of the workers that run, trades are rejected, or wait for the open. */
export const closeMarket: Make = (scene) => {
  const { world } = scene;
  const locks = ['a joining worker'];
  return ifFree(scene, {
    target: 'all workers',
    locks,
    begin: () => world.replaceWorkers({ MARKET_HOURS: 'closed' }),
    end: () => world.replaceWorkers({ MARKET_HOURS: 'always' }),
  });
};

type Link = 'nats' | 'postgres' | 'exchange';

/** What one worker sends and gets is lost (cut: with a reset) on one of its links. */
export function partition(link: Link, how: 'cut' | 'stall'): Make {
  return (scene) => {
    const { world, choice, isFree } = scene;
    const free = world.workers.filter(({ name }) => isFree(`${name}/${link}`) && isFree(name));
    const victim = free[Math.floor(choice * free.length)];
    if (victim === undefined) return undefined;
    const gate = world.linksOf(victim)[link];
    const begin = async () => gate[how]();
    const end = async () => gate.restore();
    return { target: victim.name, locks: [`${victim.name}/${link}`], begin, end };
  };
}

/** The balancer before the callback servers. */
export function balancer(how: 'cut' | 'stall'): Make {
  return ({ world, isFree }) => {
    const gate = world.system.callbackGate;
    if (gate === undefined || !isFree('balancer')) return undefined;
    return { target: 'balancer', locks: ['balancer'], begin: async () => gate[how](), end: async () => gate.restore() };
  };
}

async function untilWell(process: AppProcess): Promise<void> {
  await process.untilReady(WELL_MS).catch(nothing); // Something else keeps it from its work; the end of the run insists.
}
