/** What grpc-timeout may say: an amount of at most eight digits, and a unit. */
export const BROKEN_TIMEOUTS = [
  '',
  'soon',
  '5',
  'S',
  '-1S',
  '+1S',
  '1.5S',
  '1e3S',
  '0x10S',
  '5s',
  '5 S',
  '5S5S',
  '5S, 5S',
  '100000000S',
  '2149200000m',
  '9999999999999999999999S',
  'NaNS',
  'InfinityS',
  '５S',
];
/** Over before anything can be begun. */
export const PASSED_TIMEOUTS = ['0S', '0n', '1n', '999u', '00000000H', '99999n'];
/** At and beyond where timers of 31 bits, and sums in them, go round. */
export const HUGE_TIMEOUTS = [
  '24H',
  '25H',
  '596H',
  '597H',
  '2147483S',
  '2147484S',
  '2149200S',
  '4294968S',
  '35791395M',
  '99999999m',
  '99999999S',
  '99999999M',
  '99999999H',
];
