import type { ParseArgsOptionsConfig } from 'node:util';
import { UserError } from '../cli.ts';
import type { Servers } from './servers.ts';

/** One command of `npm run ops`. */
export interface OpsCommand {
  /** What it does, its options and what makes it ask for attention. */
  help: string;
  options: ParseArgsOptionsConfig;
  run(call: Call): Promise<Result>;
}

export interface Call {
  /** What follows the command's name. */
  args: string[];
  values: Record<string, string | boolean | undefined>;
  servers: Servers;
  /** Who does it, as the environment says. */
  operator: string | undefined;
  /** Progress, for people, on standard error. */
  say(line: string): void;
}

export interface Result {
  /** True makes the exit code 1. */
  attention: boolean;
  /** For people. */
  text: string;
  /** For programs; big integers become decimal strings, dates ISO 8601. */
  json: object;
}

/** The answer could not be found out: exit code 3. Nothing is said about whether something is wrong. */
export class CannotTellError extends Error {
  override readonly name = 'CannotTellError';
}

export function noArguments(name: string, args: readonly string[]): void {
  if (args.length > 0)
    throw new UserError(`${name} takes no ${JSON.stringify(args[0])}. More with: npm run ops -- ${name} --help`);
}

/** "90 s", "2 min", "3 h": as short as it is exact enough. */
export function age(ms: number | bigint): string {
  const seconds = Number(ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 180) return `${Math.floor(seconds)} s`;
  if (seconds < 3 * 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 3 * 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

/** "30s", "2min", "500ms", "1h" → milliseconds. @throws UserError */
export function duration(what: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})\s*(ms|s|min|m|h)$/.exec(text) ?? [];
  if (number === '') throw new UserError(`${what} must be like 500ms, 30s, 5min or 2h, but is ${JSON.stringify(text)}.`);
  return Number(number) * { ms: 1, s: 1_000, min: 60_000, m: 60_000, h: 3_600_000 }[unit as 'ms'];
}

/** "2026-11-22 18:30:00Z" */
export function moment(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
