import { setTimeout as delay } from 'node:timers/promises';
import { type Action, ifFree, type Make, nothing, type Scene } from './action.ts';

/** How long commits wait for a lost standby until the operator lets them go on without it. */
const OPERATOR_MS = 1_000;

type Node = Scene['world']['servers']['nats']['nodes'][number];

/** One NATS fault at a time: each is about what the others are for. */
function natsFault(make: (scene: Scene, node: Node) => Omit<Action, 'locks'>): Make {
  return (scene) => {
    const { nodes } = scene.world.servers.nats;
    const node = nodes[Math.floor(scene.choice * nodes.length)];
    return node === undefined ? undefined : ifFree(scene, { ...make(scene, node), locks: ['nats'] });
  };
}

export const killNatsNode = natsFault((_scene, node) => ({
  target: node.name,
  begin: () => node.kill(),
  end: () => node.start(),
}));

export const pauseNatsNode = natsFault((_scene, node) => ({
  target: node.name,
  begin: async () => node.pause(),
  end: async () => node.resume(),
}));

export const wipeNatsNode = natsFault(({ world }, node) => ({
  target: node.name,
  begin: () => node.wipe(),
  // Another store must not be lost before this one is whole again.
  end: () => world.servers.nats.untilHealthy(),
}));

export const restartNats = natsFault(({ world: { servers } }) => ({
  target: 'all of nats',
  begin: () => servers.nats.kill(),
  end: async () => {
    await Promise.all(servers.nats.nodes.map((node) => node.start()));
  },
}));

export const loseNats = natsFault(({ world: { servers } }) => ({
  target: 'all of nats',
  begin: () => servers.nats.wipeAll(),
  end: nothing,
}));

/** One PostgreSQL fault at a time, of a pair that may fail over, and each leaves such a pair behind: that is promised to be survived. */
function postgresFault(make: (pair: Scene['world']['servers']['postgres']) => Omit<Action, 'locks'>): Make {
  return (scene) => {
    const pair = scene.world.servers.postgres;
    return pair.isWhole ? ifFree(scene, { ...make(pair), locks: ['postgres'] }) : undefined;
  };
}

export const killPrimary = postgresFault((pair) => ({
  target: 'the primary',
  begin: () => pair.killPrimary(),
  end: () => pair.restartPrimary(),
}));

export const pausePrimary = postgresFault((pair) => ({
  target: 'the primary',
  begin: async () => pair.pausePrimary(),
  end: async () => pair.resumePrimary(),
}));

export const failOver = postgresFault((pair) => ({
  target: 'the primary',
  begin: () => pair.failOver(),
  end: () => pair.rebuildStandby(),
}));

export const loseStandby = postgresFault((pair) => ({
  target: 'the standby',
  begin: async () => {
    await pair.killStandby();
    await delay(OPERATOR_MS);
    await pair.standbyLost();
  },
  end: () => pair.startStandby(),
}));
