import { Behaviour, type OrderReport, OrderState, RejectReason } from '@stockbroker/rpc/exchange';
import type { SeededRandom } from '@stockbroker/runtime';
import { formatPriceE4, parsePriceE4 } from './prices.ts';

const RATES = [
  'rejectRate',
  'duplicateRate',
  'lateRate',
  'reorderRate',
  'dropRate',
  'conflictRate',
  'repeatExecutionRate',
  'breakLimitRate',
] as const;
type Rate = (typeof RATES)[number];
const MAX_MS = 600_000;

/** How the exchange behaves now, and the dice that follow from it. */
export class Faults {
  #behaviour: Behaviour;
  readonly #random: SeededRandom;

  constructor(initial: Behaviour, random: SeededRandom) {
    this.#behaviour = checked(initial);
    this.#random = random;
  }

  get behaviour(): Readonly<Behaviour> {
    return this.#behaviour;
  }

  /** @throws RangeError naming the field that is out of range */
  set(behaviour: Behaviour): void {
    this.#behaviour = checked(behaviour);
  }

  /** Throws the die of one fault. */
  strikes(rate: Rate): boolean {
    const share = this.#behaviour[rate];
    return share > 0 && this.#random.chance(share);
  }

  /** How long an order takes to complete. */
  latencyMs(): number {
    const { latencyMinMs, latencyMaxMs } = this.#behaviour;
    return this.#random.between(latencyMinMs, latencyMaxMs);
  }

  /** A report of the same order that cannot be true if the given one is: another fill, or a fill against a rejection. */
  contradict(report: OrderReport): OrderReport {
    const executionId = `conflict-${report.clientOrderId}`;
    const priceE4 = parsePriceE4(report.price);
    if (priceE4 === undefined) {
      const fill = {
        state: OrderState.ORDER_STATE_FILLED,
        price: '1.0000',
        rejectReason: RejectReason.REJECT_REASON_UNSPECIFIED,
      };
      return { ...report, ...fill, executionId, rejectMessage: '' };
    }
    if (this.#random.chance(0.5)) return { ...report, executionId, price: formatPriceE4(priceE4 + 10_000) };
    const rejection = { state: OrderState.ORDER_STATE_REJECTED, rejectReason: RejectReason.REJECT_REASON_OTHER };
    return { ...report, ...rejection, price: '', executionId: '', rejectMessage: 'contradicts an earlier report' };
  }
}

function checked(behaviour: Behaviour): Behaviour {
  for (const rate of RATES) {
    if (!(behaviour[rate] >= 0 && behaviour[rate] <= 1)) throw new RangeError(`${rate} must be from 0 to 1`);
  }
  for (const wait of ['latencyMinMs', 'latencyMaxMs', 'lateMs'] as const) {
    if (!(behaviour[wait] >= 0 && behaviour[wait] <= MAX_MS)) throw new RangeError(`${wait} must be from 0 to ${MAX_MS}`);
  }
  if (behaviour.latencyMinMs > behaviour.latencyMaxMs) throw new RangeError('latencyMinMs must not be above latencyMaxMs');
  return Behaviour.fromPartial(behaviour);
}
