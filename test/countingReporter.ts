import type { Reporter, TestModule } from 'vitest/node';
import { MemoryWatch, type ProcessMemory } from './support/memoryWatch.ts';

/** A test that grows while nobody looks takes the whole machine, sooner or later: no process of a run may have more. */
const MOST_BYTES = 2 ** 30;
/** The main process, its two workers, and one that came after a worker that failed. */
const LISTED = 4;

/**
 * Ends the output with the most memory that processes had, and the line that programs read: "N passed, N failed". A file that cannot be
 * run counts as a failure, and so does a process that had too much memory.
 */
export default class CountingReporter implements Reporter {
  readonly #memory = new MemoryWatch();

  onTestModuleEnd(): void {
    this.#memory.look();
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const states = modules.flatMap((module) => Array.from(module.children.allTests(), (test) => test.result().state));
    const count = (state: (typeof states)[number]) => states.filter((each) => each === state).length;
    const broken = modules.filter((module) => module.errors().length > 0).length + unhandledErrors.length;
    const failed = count('failed') + broken + this.#tooLarge();
    const skipped = count('skipped') + count('pending');
    console.log(`${count('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }

  /** Prints the memory. @returns how many processes had too much */
  #tooLarge(): number {
    this.#memory.look();
    const isOfVitest = ({ pid, command }: ProcessMemory) => pid === process.pid || /\bvitest\b/.test(command);
    const all = this.#memory.processes;
    const others = all.filter((each) => !isOfVitest(each));
    const tooLarge = all.filter(({ mostBytes }) => mostBytes > MOST_BYTES);
    console.log(`Most memory: ${all.filter(isOfVitest).slice(0, LISTED).map(described).join(', ')}`);
    if (others[0] !== undefined) console.log(`  and of the ${others.length} others: ${described(others[0])}`);
    for (const each of tooLarge) console.log(`Too much memory, over ${megabytes(MOST_BYTES)}: ${described(each)}`);
    if (tooLarge.length > 0) process.exitCode = 1;
    return tooLarge.length;
  }
}

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;

/** Of a command the script that it runs, which says most. */
function described({ pid, command, mostBytes }: ProcessMemory): string {
  const [program = '', ...args] = command.split(' ');
  const script = args.findLast((arg) => /\.[cm]?[jt]s$/.test(arg));
  const name = [program, script].flatMap((path) => path?.split('/').slice(-2).join('/') ?? []).join(' ');
  return `${pid === process.pid ? 'vitest itself' : name} ${megabytes(mostBytes)} (process ${pid})`;
}
