import type { NextCustomer } from './loops.ts';
import type { BenchCustomer } from './trading.ts';

/** One after the other: nobody comes again before all others have. */
export function inTurns(customers: readonly BenchCustomer[]): NextCustomer {
  let turn = 0;
  return () => {
    turn += 1;
    return customers[turn % customers.length] as BenchCustomer;
  };
}

/** The customer of rank r is 1/r as likely as the first: a few trade most, and their trades wait for each other. */
export function zipf(customers: readonly BenchCustomer[]): NextCustomer {
  let sum = 0;
  const upTo = customers.map((_, rank) => {
    sum += 1 / (rank + 1);
    return sum;
  });
  return () => {
    const at = Math.random() * sum;
    let [low, high] = [0, upTo.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    return customers[low] as BenchCustomer;
  };
}
