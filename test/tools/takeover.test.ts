import { expect, test } from 'vitest';
import { pausesIn } from '../../tools/takeover/moves.ts';

const at = (second: number, msg: string, partition: number) =>
  JSON.stringify({ level: 20, time: `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`, name: 'worker', msg, partition });

test('takeover: a pause lasts from where the old leader begins nothing more to where the next one works, in whatever log', () => {
  const logs = [
    at(1, 'hands over', 1),
    at(2, 'handed over', 1),
    at(6, 'leads', 2),
    'no line of a log "leads"'.slice(0, 8),
    at(3, 'hands over', 2),
    at(4, 'leads', 1),
  ];
  expect(pausesIn(logs, 0)).toEqual({ pauses: [3_000, 3_000], leaderless: 0 });
});

test('takeover: a partition handed over twice before anybody leads it pauses from the first time on', () => {
  const logs = [at(1, 'hands over', 1), at(2, 'hands over', 1), at(5, 'leads', 1)];
  expect(pausesIn(logs, 0).pauses).toEqual([4_000]);
});

test('takeover: what was before does not count; who has no leader yet is counted', () => {
  const logs = [at(1, 'hands over', 1), at(2, 'leads', 1), at(3, 'hands over', 2), at(4, 'leads', 3)];
  expect(pausesIn(logs, Date.parse('2026-01-01T00:00:03.000Z'))).toEqual({ pauses: [], leaderless: 1 });
});
