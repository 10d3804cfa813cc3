import { useComputed } from '@preact/signals';
import { count, dollars } from '../money.ts';
import { type Holding, holdingsOf } from '../state/holdings.ts';
import { useDesk } from './context.ts';
import { Change, Empty, Skeleton } from './parts.tsx';

/** What the customer owns, what it is worth, and what was gained with what was bought here. */
export function Positions({ onChosen }: { onChosen: () => void }) {
  const desk = useDesk();
  const holdings = useComputed(() => {
    const account = desk.account.value;
    if (account === undefined) return undefined;
    return holdingsOf(account, desk.quotes.value, desk.past.fills.value === 'all' ? desk.fills.value : undefined);
  });
  return (
    <section class="positions card" aria-labelledby="positions-title">
      <h2 id="positions-title">Positions</h2>
      {holdings.value === undefined ? (
        <Skeleton width="100" />
      ) : holdings.value.length === 0 ? (
        <Empty title="No positions yet">
          <p>What you buy appears here, with its value as the market moves.</p>
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Stock</th>
              <th scope="col">Market value</th>
              <th scope="col">Gain</th>
            </tr>
          </thead>
          <tbody>
            {holdings.value.map((holding) => (
              <Row
                key={holding.stockTicker}
                holding={holding}
                fills={desk.past.fills.value}
                onChosen={() => {
                  desk.choose(holding.stockTicker);
                  onChosen();
                }}
              />
            ))}
          </tbody>
        </table>
      )}
      {desk.past.fills.value === 'failed' && (
        <p class="note">
          Your earlier trades could not be read, so gains are not known.{' '}
          <button type="button" class="link" onClick={() => void desk.past.readFills()}>
            Try again
          </button>
        </p>
      )}
    </section>
  );
}

function Row({ holding, fills, onChosen }: { holding: Holding; fills: string; onChosen: () => void }) {
  const { stockTicker, quantity, held, price, value } = holding;
  return (
    <tr>
      <th scope="row">
        <button type="button" class="link ticker" onClick={onChosen}>
          {stockTicker}
        </button>
        <span class="detail">
          {count(quantity)} {quantity === 1n ? 'share' : 'shares'}
          {held > 0n && `, ${count(held)} held for a sell`}
        </span>
      </th>
      <td>
        {value === undefined ? '–' : dollars(value)}
        <span class="detail">
          {price === undefined ? 'no price' : dollars(price)}
          {price !== undefined && <span class="a-share"> a share</span>}
        </span>
      </td>
      <td>
        <Gain holding={holding} fills={fills} />
      </td>
    </tr>
  );
}

/** Says plainly what is not known: shares that came with the account have no price of their own. */
function Gain({ holding: { gain, basis, quantity }, fills }: { holding: Holding; fills: string }) {
  if (fills === 'loading') return <Skeleton />;
  if (basis === undefined)
    return <span class="detail">Not known: {fills === 'some' ? 'too many trades' : 'earlier trades are missing'}</span>;
  if (basis.boughtShares === 0n) return <span class="detail">Not known: these came with the account</span>;
  return (
    <>
      {gain === undefined ? '–' : <Change amount={gain} of={basis.cost} />}
      {basis.otherShares > 0n && (
        <span class="detail">
          of {count(basis.boughtShares)} of {count(quantity)}; the others came with the account
        </span>
      )}
    </>
  );
}
