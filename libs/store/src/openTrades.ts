/**
 * No customer is allowed more open trades than these (MAX_OPEN_TRADES has them as its maximum), so what looks through a customer's open
 * trades looks at so many and no further. Where there are more all the same, e.g. because an import put them there, what comes behind
 * these is found later: when some of those before it have ended, or at the open.
 */
export const MOST_OPEN_TRADES = 10_000;
