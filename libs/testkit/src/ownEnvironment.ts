/** What any process needs of this one's environment: to find programs, its user's files and a place for temporary ones. */
const KEPT = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE'];

/**
 * The environment of a process that we start, made from nothing: what a shell says of other servers and programs (http_proxy, PG*,
 * NODE_OPTIONS, LD_PRELOAD, …) must not reach it. Its own variables are given.
 */
export function ownEnvironment(given: Record<string, string> = {}): Record<string, string> {
  const kept = KEPT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return { ...Object.fromEntries(kept), ...given };
}
