import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, join } from 'node:path';

/**
 * Loaded into each process of the broker before its own code. SIGUSR2 begins a profile of its processor and of what it allocates; the
 * next one ends both and leaves them as <app>.<pid>.cpuprofile and .heapprofile, for this tool and for Chromium's developer tools.
 */
const folder = process.env.STOCKBROKER_PROFILES ?? '.';
const SAMPLE_EVERY_BYTES = 65_536;
const session = new Session();
let begun = false;

process.on('SIGUSR2', () => {
  if (!begun) begin();
  else end();
  begun = !begun;
});

/** In the process itself the inspector answers before it returns. */
function begin(): void {
  session.connect();
  session.post('HeapProfiler.startSampling', {
    samplingInterval: SAMPLE_EVERY_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  session.post('Profiler.enable');
  session.post('Profiler.start');
}

function end(): void {
  session.post('Profiler.stop', (error, result) => write('cpuprofile', error ?? result.profile));
  session.post('HeapProfiler.stopSampling', (error, result) => write('heapprofile', error ?? result.profile));
  session.disconnect();
}

function write(kind: string, profile: object): void {
  if (profile instanceof Error) throw profile;
  const file = join(folder, `${basename(process.argv[1] ?? '', '.mjs')}.${process.pid}.${kind}`);
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  renameSync(`${file}.part`, file);
}
