import { SqlText } from './statement.ts';

/** An SQL name or expression for each field: all of the type's fields and no others, so that a forgotten column does not compile. */
type Columns<Fields> = { [Field in keyof Fields & string]-?: string };

/** `customer_id, amount`: the columns of an INSERT, in the order given. */
export function columnList<Fields>(columns: Columns<Fields>): SqlText {
  return new SqlText(Object.values<string>(columns).join(', '));
}

/** `b.customer_id AS "customerId", b.amount AS "amount"`: what a SELECT returns as rows of the type. */
export function selectList<Row>(columns: Columns<Row>): SqlText {
  const selected = Object.entries<string>(columns).map(([field, expression]) => `${expression} AS "${field}"`);
  return new SqlText(selected.join(', '));
}
