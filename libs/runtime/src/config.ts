/** One environment variable: what it is for, how to read it, and what it is when unset. `--help` and docs/configuration.md say the same. */
export interface Variable<T> {
  /** One sentence or more, in Markdown. */
  doc: string;
  /** What it can be, in a few words: "0 to 65535", "on, off". */
  values: string;
  /** As written in the documentation; undefined makes the variable required. */
  default: string | undefined;
  /** Throws an Error whose message continues the sentence "<NAME> ...". */
  parse: (text: string) => T;
  /** Not printed or logged. */
  secret?: boolean;
}

export type Variables = Record<string, Variable<unknown>>;
export type ConfigOf<V extends Variables> = { [K in keyof V]: V[K] extends Variable<infer T> ? T : never };

/** All problems of the environment at once, each with what to set. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(app: string, problems: string[]) {
    super(`${app}: the configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Options = { default?: string; secret?: boolean };

function variable<T>(doc: string, values: string, options: Options, parse: (text: string) => T): Variable<T> {
  return { doc, values, default: options.default, parse, ...(options.secret === true ? { secret: true } : {}) };
}

export function text(doc: string, options: Options = {}): Variable<string> {
  return variable(doc, 'text', options, (value) => value);
}

export function url(doc: string, protocols: string[], options: Options = {}): Variable<string> {
  const values = protocols.map((protocol) => `${protocol}://`).join(' or ');
  return variable(doc, values, options, (value) => {
    const protocol = URL.canParse(value) ? new URL(value).protocol.slice(0, -1) : undefined;
    if (protocol === undefined || !protocols.includes(protocol)) {
      throw new Error(`must be a URL that begins with ${values}`);
    }
    return value;
  });
}

export function integer(doc: string, range: { min: number; max: number }, options: Options = {}): Variable<number> {
  const values = `${range.min} to ${range.max}`;
  return variable(doc, values, options, (value) => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number) || number < range.min || number > range.max) {
      throw new Error(`must be a whole number from ${values}`);
    }
    return number;
  });
}

export function fraction(doc: string, options: Options = {}): Variable<number> {
  return variable(doc, '0 to 1', options, (value) => {
    const number = Number(value);
    if (value.trim() === '' || !(number >= 0 && number <= 1)) throw new Error('must be a number from 0 to 1');
    return number;
  });
}

export function oneOf<const T extends string>(doc: string, choices: readonly T[], options: Options = {}): Variable<T> {
  const values = choices.join(', ');
  return variable(doc, values, options, (value) => {
    const choice = choices.find((c) => c === value);
    if (choice === undefined) throw new Error(`must be one of ${values}`);
    return choice;
  });
}

/** A comma-separated list; empty text is the empty list. */
export function list(doc: string, options: Options = {}): Variable<string[]> {
  return variable(doc, 'a list, separated by commas', options, (value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
}

/**
 * Reads the environment once.
 *
 * @throws ConfigError with every problem, not only the first
 */
export function readConfig<V extends Variables>(app: string, variables: V, env: NodeJS.ProcessEnv): ConfigOf<V> {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(variables)) {
    const value = env[name] ?? spec.default;
    if (value === undefined || (value === '' && spec.default === undefined)) {
      problems.push(`${name} is ${value === undefined ? 'not set' : 'empty'}: ${spec.doc}`);
      continue;
    }
    try {
      config[name] = spec.parse(value);
    } catch (error) {
      const shown = spec.secret === true ? '(secret)' : JSON.stringify(value);
      problems.push(`${name} ${(error as Error).message}, but is ${shown}: ${spec.doc}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(app, problems);
  return config as ConfigOf<V>;
}

/** The variables as a Markdown table, for `--help` and docs/configuration.md. */
export function describeVariables(variables: Variables): string {
  const rows = Object.entries(variables).map(([name, spec]) => {
    const standard = spec.default === undefined ? 'required' : spec.default === '' ? 'empty' : `\`${spec.default}\``;
    return `| \`${name}\` | ${standard} | ${spec.values} | ${spec.doc} |`;
  });
  return ['| variable | default | values | meaning |', '|---|---|---|---|', ...rows].join('\n');
}
