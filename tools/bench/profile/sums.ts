import type { HeapProfiler, Profiler } from 'node:inspector';
import type { Frame, ModuleOf } from './modules.ts';

/** What each module has used: of the processor in microseconds, or bytes. */
export type Sums = Map<string, number>;

const COLLECTION = 'garbage collection';
/** Node and V8 themselves, e.g. the event loop and system calls. */
const NATIVE = 'outside JavaScript';

/** Functions that are no JavaScript count for whoever calls them. Time without work is not counted. */
export function processorTime({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, moduleOf: ModuleOf): Sums {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const modules = new Map<number, string | undefined>();
  const name = (node: Profiler.ProfileNode, caller: string) => {
    const own = moduleIn(node.callFrame, moduleOf, caller);
    modules.set(node.id, own);
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) name(child, own ?? NATIVE);
    }
  };
  if (nodes[0] !== undefined) name(nodes[0], NATIVE);
  const sums: Sums = new Map();
  samples.forEach((id, i) => {
    add(sums, modules.get(id), timeDeltas[i] ?? 0);
  });
  return sums;
}

/** Of all that was allocated, also of what is garbage by now. */
export function allocatedBytes({ head }: HeapProfiler.SamplingHeapProfile, moduleOf: ModuleOf): Sums {
  const sums: Sums = new Map();
  const visit = (node: HeapProfiler.SamplingHeapProfileNode, caller: string) => {
    const own = moduleIn(node.callFrame, moduleOf, caller) ?? NATIVE;
    add(sums, own, node.selfSize);
    for (const child of node.children) visit(child, own);
  };
  visit(head, NATIVE);
  return sums;
}

/** @returns undefined for time without work */
function moduleIn(frame: Frame, moduleOf: ModuleOf, caller: string): string | undefined {
  if (frame.functionName === '(idle)') return undefined;
  if (frame.functionName === '(garbage collector)') return COLLECTION;
  return moduleOf(frame) ?? caller;
}

export function add(sums: Sums, name: string | undefined, amount: number): void {
  if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + amount);
}
