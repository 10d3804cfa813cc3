import type { AppProcess } from '@stockbroker/testkit/processes';
import type { Takeovers } from './takeovers.ts';
import type { Traffic } from './traffic.ts';
import type { World } from './world.ts';

/** One fault, ready to be made. */
export interface Action {
  /** What it strikes, for people. */
  target: string;
  /** Nothing else may strike these meanwhile. */
  locks: string[];
  begin(): Promise<void>;
  /** Undoes it; resolves when what was struck is well again. */
  end(): Promise<void>;
}

export interface Scene {
  world: World;
  traffic: Traffic;
  takeovers: Takeovers;
  /** In [0, 1): decides between several targets. */
  choice: number;
  isFree(lock: string): boolean;
}

/** Undefined when it cannot be made now: what it needs is broken already, or it would break more than is promised to be survived. */
export type Make = (scene: Scene) => Action | undefined;

/** One of those that nothing strikes now. */
export function pickFree({ choice, isFree }: Scene, processes: readonly AppProcess[]): AppProcess | undefined {
  const free = processes.filter(({ name }) => isFree(name));
  return free[Math.floor(choice * free.length)];
}

export function ifFree({ isFree }: Scene, action: Action): Action | undefined {
  return action.locks.every(isFree) ? action : undefined;
}

export const nothing = async (): Promise<void> => {};
