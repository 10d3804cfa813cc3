import { eventually } from '@stockbroker/testkit';
import { describe, expect, test } from 'vitest';
import type { Action, Make } from '../../tools/chaos/action.ts';
import { Conductor } from '../../tools/chaos/conductor.ts';
import { KIND_NAMES, type KindName, kindsNamed } from '../../tools/chaos/kinds.ts';
import { drawPlan, type PlannedFault } from '../../tools/chaos/plan.ts';

const TEN_MINUTES = 600_000;

describe('the plan', () => {
  test('the same seed draws the same faults, another seed others', () => {
    expect(drawPlan(7, TEN_MINUTES, KIND_NAMES)).toEqual(drawPlan(7, TEN_MINUTES, KIND_NAMES));
    expect(drawPlan(8, TEN_MINUTES, KIND_NAMES)).not.toEqual(drawPlan(7, TEN_MINUTES, KIND_NAMES));
  });

  test.each([1, 2, 3, 4, 5])('ten minutes of seed %i have well over 200 faults, and each kind several times', (seed) => {
    const plan = drawPlan(seed, TEN_MINUTES, KIND_NAMES);
    expect(plan.length).toBeGreaterThan(240);
    for (const name of KIND_NAMES) expect(plan.filter(({ kind }) => kind === name).length, name).toBeGreaterThanOrEqual(2);
    expect(plan.every(({ atMs }) => atMs >= 3_000 && atMs < TEN_MINUTES)).toBe(true);
  });

  test('kinds are named one by one or by what they strike', () => {
    expect(kindsNamed('nats.kill,balancer')).toEqual(['balancer.cut', 'balancer.stall', 'nats.kill']);
    expect(kindsNamed('nats.nothing')).toBeUndefined();
  });
});

describe('the conductor', () => {
  const fault = (number: number, kind: KindName): PlannedFault => ({ number, atMs: number, kind, lastsMs: 30, choice: 0 });

  /** Kinds that only note what they do; all strike the same thing. */
  function conductorOf(made: Partial<Record<KindName, Partial<Action>>>, notes: string[]): Conductor {
    const actions = Object.fromEntries(
      KIND_NAMES.map((name): [KindName, Make] => [
        name,
        ({ isFree }) => {
          const action = {
            target: 'it',
            locks: ['it'],
            begin: async () => void notes.push(`${name} begins`),
            end: async () => void notes.push(`${name} ends`),
            ...made[name],
          };
          return isFree('it') ? action : undefined;
        },
      ]),
    ) as Record<KindName, Make>;
    const scene = {} as ConstructorParameters<typeof Conductor>[0]['scene'];
    return new Conductor({ actions, scene, onFault: () => {} });
  }

  test('what is struck already is not struck again until it is well: the second fault waits', async () => {
    const notes: string[] = [];
    const conductor = conductorOf({}, notes);
    await conductor.run([fault(1, 'nats.kill'), fault(2, 'nats.wipe')], new AbortController().signal);
    expect(notes).toEqual(['nats.kill begins', 'nats.kill ends', 'nats.wipe begins', 'nats.wipe ends']);
    expect(conductor.done).toBe(2);
  });

  test('when the run is over, what is broken is undone at once, and nothing more is begun', async () => {
    const notes: string[] = [];
    const over = new AbortController();
    const conductor = conductorOf({}, notes);
    const late = { ...fault(2, 'nats.wipe'), atMs: 3_600_000 };
    const running = conductor.run([{ ...fault(1, 'nats.kill'), lastsMs: 3_600_000 }, late], over.signal);
    await eventually(
      () => notes.length,
      (length) => length === 1,
    );
    over.abort();
    await running;
    expect(notes).toEqual(['nats.kill begins', 'nats.kill ends']);
  });

  test('a fault that cannot be made or undone is told, because the run then proves less than it says', async () => {
    const broken = { end: () => Promise.reject(new Error('it stays broken')) };
    const conductor = conductorOf({ 'nats.kill': broken }, []);
    await conductor.run([fault(1, 'nats.kill')], new AbortController().signal);
    expect(conductor.made).toMatchObject([
      { kind: 'nats.kill', outcome: 'failed', problem: expect.stringContaining('it stays broken') },
    ]);
  });
});
