/** The plans of hot statements, as the server itself tells them while they run: with the parameters, caches and locks of real work. */
export interface Plans {
  /** Settings of the server. */
  settings: Record<string, string>;
  /** Takes the server's log. */
  log: (line: string) => void;
  /** The last plan of each named statement: its nodes, with rows and buffers. */
  byStatement: ReadonlyMap<string, readonly string[]>;
}

/** @param sampleRate share of statements whose plan is told: 0 to 1 */
export function collectPlans(sampleRate: number): Plans {
  const byStatement = new Map<string, string[]>();
  let current: string[] | undefined;
  return {
    settings: {
      shared_preload_libraries: 'auto_explain',
      'auto_explain.log_min_duration': '0',
      'auto_explain.log_analyze': 'on',
      'auto_explain.log_buffers': 'on',
      'auto_explain.log_timing': 'off',
      'auto_explain.sample_rate': String(sampleRate),
    },
    log: (line) => {
      const name = /Query Text: \/\* (\w+) \*\//.exec(line)?.[1];
      if (name !== undefined) {
        current = [];
        byStatement.set(name, current);
      } else if (/^\d{4}-\d\d-\d\d /.test(line)) {
        current = undefined;
      } else if (current !== undefined && /cost=|Buffers|Filter|Cond|Trigger/.test(line)) {
        current.push(line.replaceAll('\t', '  ').replace(/\s+\(cost=.*?\)\s+/, '  '));
      }
    },
    byStatement,
  };
}
