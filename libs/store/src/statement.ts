import pg from 'pg';

/** What runs a text with parameters: a pool or a client of pg's. */
export interface Answering {
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
}

/** Runs a statement; see `statementsOn`. */
export type RunStatement = <Row>(text: TemplateStringsArray, ...values: readonly unknown[]) => Promise<Row[]>;

/** What the flow's statements need of a database. */
export interface Queries {
  query: RunStatement;
}

/** A text of our own that stands in statements as it is: columns, joins. */
export class SqlText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A tag for such texts, of others too. */
export function sqlText(template: TemplateStringsArray, ...texts: SqlText[]): SqlText {
  return new SqlText(String.raw({ raw: template }, ...texts.map(({ text }) => text)));
}

/** What a template came to: the same each time, as only its parameters vary. */
interface Prepared {
  name: string | undefined;
  text: string;
  /** Which of the template's values are parameters. */
  parameters: number[];
}

/** A hot statement begins with its name in a comment: it is then prepared once per connection, and is told apart in pg_stat_activity. */
const STATEMENT_NAME = /^\s*\/\* (\w+) \*\//;

const { builtins } = pg.types;
const BIGINT_ARRAY = 1016;
const TEXT_ARRAY = 1009;

const parseTexts: (text: string) => (string | null)[] = pg.types.getTypeParser(TEXT_ARRAY as number);
const parseBigints = (text: string) => parseTexts(text).map((each) => (each === null ? null : BigInt(each)));

/** Whole numbers of 64 bits are BigInts; the rest is as pg has it: timestamps are Dates, enums and UUIDs strings. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') => {
    if (oid === builtins.INT8) return BigInt;
    return oid === BIGINT_ARRAY ? parseBigints : pg.types.getTypeParser(oid, format);
  }) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * A tag for statements whose rows go to the flow: straight to pg, because Prisma's way there and back takes more of a processor than
 * the server does (docs/performance.md). Values become parameters; an SqlText is put in place.
 *
 * @throws pg.DatabaseError when the server refuses; another Error when it did not answer
 */
export function statementsOn(pool: Answering): RunStatement {
  const known = new WeakMap<TemplateStringsArray, Prepared>();
  return async <Row>(template: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row[]> => {
    let prepared = known.get(template);
    if (prepared === undefined) {
      prepared = prepare(template, values);
      known.set(template, prepared);
    }
    const { name, text, parameters } = prepared;
    const result = await pool.query({ name, text, values: parameters.map((i) => values[i]), types });
    return result.rows;
  };
}

function prepare(template: TemplateStringsArray, values: readonly unknown[]): Prepared {
  const parameters: number[] = [];
  let text = template[0] ?? '';
  values.forEach((value, i) => {
    text += value instanceof SqlText ? value.text : `$${parameters.push(i)}`;
    text += template[i + 1];
  });
  return { name: STATEMENT_NAME.exec(text)?.[1], text, parameters };
}
