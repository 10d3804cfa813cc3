import { type ChaosBreakage, patch } from './breakage.ts';

/** Of what others are told: clients by revisions, operators by readiness. */
export const WATCHING_BREAKAGES: ChaosBreakage[] = [
  {
    name: 'revision-repeated',
    what: 'a mark reuses the revision of the change before it',
    patches: [
      patch('libs/store/src/markTradesExecuted.ts', 'b.revision + 1 AS revision FROM led l', 'b.revision AS revision FROM led l'),
    ],
    faults: 'exchange.slow',
    seenBy: 'revisions',
  },
  {
    name: 'deaf-after-reconnect',
    what: 'a process does not notice that NATS is back',
    patches: [
      patch(
        'libs/bus/src/natsLink.ts',
        "this.#connected = true;\n        this.#problem = undefined;\n        this.#log.info('NATS reconnected');",
        "this.#log.info('NATS reconnected');",
      ),
    ],
    faults: 'worker.cut-nats',
    seenBy: 'healed',
  },
];
