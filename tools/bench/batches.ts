/** How often something was done in batches, and how many items they held together. */
interface Batches {
  count: number;
  items: number;
}

/** Histograms of batch sizes, with the label that tells their kinds apart. */
const SIZES =
  /^(store_batch_rows|exchange_batch_orders|exchange_accept_batch_size|exchange_report_batch_size)_(sum|count)\{(.*)\} (\S+)$/gm;

/** By kind, e.g. "insertTrades". Statements of the database are those of store_batch_rows. */
export type BatchesByKind = Record<string, Batches>;

/** Reads it from the metrics that processes serve on /metrics. */
export async function readBatches(adminUrls: readonly string[]): Promise<{ statements: BatchesByKind; messages: BatchesByKind }> {
  const texts = await Promise.all(adminUrls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  const [statements, messages]: [BatchesByKind, BatchesByKind] = [{}, {}];
  for (const [, metric = '', field, labels = '', value] of texts.join('\n').matchAll(SIZES)) {
    const of = metric === 'store_batch_rows' ? statements : messages;
    const kind = /(?:statement|method)="([^"]*)"/.exec(labels)?.[1] ?? metric.replace(/_batch_size$/, '');
    of[kind] ??= { count: 0, items: 0 };
    of[kind][field === 'sum' ? 'items' : 'count'] += Number(value);
  }
  return { statements, messages };
}

/** What came between two readings. */
export function batchesBetween(before: BatchesByKind, after: BatchesByKind): BatchesByKind {
  const entries = Object.entries(after).map(([kind, { count, items }]): [string, Batches] => {
    const was = before[kind] ?? { count: 0, items: 0 };
    return [kind, { count: count - was.count, items: items - was.items }];
  });
  return Object.fromEntries(entries.filter(([, { count }]) => count > 0));
}
