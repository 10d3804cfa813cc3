import type { BaselineRun } from './on.ts';

export type Tried<Name extends string, Setting = number> = Record<Name, Setting> & { perSecond: number };

export interface Best<Name extends string, Setting> {
  /** Of the best, measured for the whole time. */
  perSecond: number;
  setting: Setting;
  /** All of them, for a part of the time. */
  tried: Tried<Name, Setting>[];
}

/** Tries each setting for a share of the time, then measures the best one for all of it. */
export async function best<Name extends string, Setting>(
  { seconds, isStopped, onEvent }: BaselineRun,
  name: Name,
  settings: readonly Setting[],
  measure: (setting: Setting, seconds: number) => Promise<number>,
): Promise<Best<Name, Setting>> {
  const tried: Tried<Name, Setting>[] = [];
  for (const setting of settings) {
    if (isStopped() && tried.length > 0) break;
    const perSecond = await measure(setting, seconds / settings.length);
    tried.push({ [name]: setting, perSecond } as Tried<Name, Setting>);
    onEvent(`${name} ${JSON.stringify(setting)}: ${perSecond.toFixed(0)} trades a second`);
  }
  const fastest = tried.toSorted((a, b) => b.perSecond - a.perSecond)[0] as Tried<Name, Setting>;
  const setting = fastest[name];
  return { perSecond: await measure(setting, seconds), setting, tried };
}
