import { SeededRandom } from '@stockbroker/runtime';
import { KINDS, type KindName } from './kinds.ts';

/** One fault as it is drawn; which process it strikes is decided by `choice` among those that can be struck then. */
export interface PlannedFault {
  number: number;
  /** From the start of the load. */
  atMs: number;
  kind: KindName;
  lastsMs: number;
  /** In [0, 1). */
  choice: number;
}

const WARM_UP_MS = 3_000;
/** Between two strokes, on average; each stroke is one fault or several. */
const MEAN_GAP_MS = 2_200;
const SHARE_OF_BURSTS = 0.12;
/** Nothing new is broken for so long before the end, so that the last faults strike a system under load. */
const QUIET_END_MS = 2_000;

/** Draws the faults of a run: the same seed, length and kinds give the same plan. */
export function drawPlan(seed: number, lengthMs: number, kinds: readonly KindName[]): PlannedFault[] {
  const random = new SeededRandom(seed);
  const deck = new Deck(kinds, random);
  const plan: PlannedFault[] = [];
  for (let atMs = WARM_UP_MS; atMs < lengthMs - QUIET_END_MS; atMs += MEAN_GAP_MS * (0.3 + 1.4 * random.number())) {
    const strokes = random.chance(SHARE_OF_BURSTS) ? random.between(2, 3) : 1;
    for (let i = 0; i < strokes; i += 1) {
      const kind = deck.draw();
      const [from, to] = KINDS[kind].seconds;
      const lastsMs = Math.round(1_000 * (from + random.number() * (to - from)));
      plan.push({ number: plan.length + 1, atMs: Math.round(atMs), kind, lastsMs, choice: random.number() });
    }
  }
  return plan;
}

/** Kinds are dealt like cards: none is forgotten for long, however unlikely it is. */
class Deck {
  readonly #kinds: readonly KindName[];
  readonly #random: SeededRandom;
  #cards: KindName[] = [];

  constructor(kinds: readonly KindName[], random: SeededRandom) {
    this.#kinds = kinds;
    this.#random = random;
  }

  draw(): KindName {
    if (this.#cards.length === 0) this.#cards = this.#kinds.flatMap((name) => Array(KINDS[name].cards).fill(name));
    const at = this.#random.between(0, this.#cards.length - 1);
    const [card] = this.#cards.splice(at, 1);
    if (card === undefined) throw new RangeError('there are no kinds to draw from');
    return card;
  }
}
