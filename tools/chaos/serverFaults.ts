import { type Action, ifFree, type Make, nothing, type Scene } from './action.ts';

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
