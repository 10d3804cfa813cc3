import { execFile } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '@stockbroker/runtime';
import { inWorkFolder } from './workFolder.ts';

/** The index alone is 10 MB. */
const downloadDeadlineMs = 300_000;

/** A package manager with lists and a cache of its own, that needs no root and installs nothing. */
export interface Apt {
  /** Runs a program of apt in the folder where downloads land. @returns what it has printed */
  run(command: 'apt-get' | 'apt-cache', ...args: string[]): Promise<string>;
  /** Unpacks every package that was downloaded. @returns the folder, which is laid out like `/` */
  unpack(): Promise<string>;
}

/**
 * Gives `use` the packages of a release of Debian, e.g. "trixie": apt is given a configuration of its own, with the mirror, keys and
 * proxies that this machine's apt uses, and checks signatures as always. What shall be kept is to be renamed into `cacheDir`.
 */
export async function withDebian<T>(
  release: string,
  cacheDir: string,
  log: (line: string) => void,
  use: (apt: Apt) => Promise<T>,
): Promise<T> {
  const source = debianSource();
  return inWorkFolder(cacheDir, async (work) => {
    const config = writeAptConfig(work, source, release);
    log(`looking into ${source.mirror} (${release}; the index has about 10 MB)`);
    await run('apt-get', ['-c', config, '-q', 'update'], work);
    return use({
      run: (command, ...args) => run(command, ['-c', config, '-q', ...args], work),
      unpack: async () => {
        const archives = globSync('{,cache/archives/}*.deb', { cwd: work });
        if (archives.length === 0) throw new Error('apt-get downloaded nothing');
        for (const archive of archives) await run('dpkg-deb', ['-x', archive, 'unpacked'], work);
        return join(work, 'unpacked');
      },
    });
  });
}

/** Debian 13. Its nats-server (2.10) needs nothing but libc and runs on older Debian releases, which have an older one or none. */
const release = 'trixie';

/** Downloads one program of a Debian package that needs no other package to `target`, without root and without installing anything. */
export async function downloadFromDebian(
  packageName: string,
  programPath: string,
  target: string,
  log: (line: string) => void,
): Promise<void> {
  await withDebian(release, dirname(target), log, async (apt) => {
    log(`downloading ${packageName} (once)`);
    await apt.run('apt-get', 'download', packageName);
    const program = join(await apt.unpack(), programPath);
    chmodSync(program, 0o755);
    renameSync(program, target); // whole or not at all, and a second download at the same time does no harm
  });
}

function writeAptConfig(work: string, source: DebianSource, release: string): string {
  const lists = join(work, 'lists');
  const cache = join(work, 'cache');
  for (const folder of [lists, cache])
    mkdirSync(join(folder, folder === cache ? 'archives/partial' : 'partial'), { recursive: true });
  const sources = join(work, 'sources.list');
  writeFileSync(sources, `deb ${source.keyring ? `[signed-by=${source.keyring}] ` : ''}${source.mirror} ${release} main\n`);
  const config = join(work, 'apt.conf');
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State::lists': lists,
    'Dir::Cache': cache,
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Acquire::Languages': 'none',
    'APT::Default-Release': '',
    'APT::Update::Error-Mode': 'any', // otherwise a mirror that cannot be reached is only a warning
    // As root, apt would download as the user _apt, which may not be able to reach this folder.
    'APT::Sandbox::User': 'root',
  };
  // Hooks after an update are for the machine's own lists, and fail without root.
  const hooks = ['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success', 'DPkg::Post-Invoke'];
  const lines = [
    ...hooks.map((name) => `#clear ${name};`),
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return config;
}

interface DebianSource {
  mirror: string;
  keyring: string | undefined;
}

/** The Debian mirror this machine's apt uses, from /etc/apt in either of its two notations. */
function debianSource(): DebianSource {
  if (!existsSync('/etc/apt') || !existsSync('/usr/bin/dpkg-deb')) throw new Error('this is not a Debian system');
  const candidates = aptSourceFiles().flatMap((path) => parseSources(readFileSync(path, 'utf8'), path.endsWith('.sources')));
  // Other vendors' sources name Debian's releases too; a mirror of Debian itself ends in /debian, or has it in a dated snapshot
  // or a list of mirrors.
  const debian = candidates.find(({ mirror }) => /^[\w+.-]+:\/\/\S*\/debian(\.list|\/\d{8}T\d{6}Z)?\/?$/.test(mirror));
  if (debian === undefined) throw new Error('no Debian mirror is configured in /etc/apt');
  return { ...debian, keyring: debian.keyring ?? debianKeyrings.find((path) => existsSync(path)) };
}

const debianKeyrings = ['gpg', 'pgp'].map((extension) => `/usr/share/keyrings/debian-archive-keyring.${extension}`);

function aptSourceFiles(): string[] {
  const parts = '/etc/apt/sources.list.d';
  const names = existsSync(parts) ? readdirSync(parts).filter((name) => /\.(list|sources)$/.test(name)) : [];
  return ['/etc/apt/sources.list', ...names.map((name) => join(parts, name))].filter((path) => existsSync(path));
}

function parseSources(content: string, inStanzas: boolean): DebianSource[] {
  const text = content.replace(/^\s*#.*\n?/gm, '');
  if (inStanzas) {
    return text.split(/\n\s*\n/).flatMap((stanza) => {
      const keyring = /^Signed-By:\s*(\/\S+)/im.exec(stanza)?.[1];
      const mirrors = /^URIs:((?:.*(?:\n[ \t].*)*))/im.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
      return mirrors.map((mirror) => ({ mirror, keyring }));
    });
  }
  return [...text.matchAll(/^\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)/gm)].map(([, options, mirror = '']) => {
    return { mirror, keyring: /signed-by=(\/[^\s,]+)/.exec(options ?? '')?.[1] };
  });
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd,
      timeout: downloadDeadlineMs,
      // All of it: a mirror may be behind a proxy.
      env: { ...process.env, LC_ALL: 'C' },
    });
    return stdout;
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim();
    throw new Error(`${command} ${args.at(-2)} ${args.at(-1)} failed: ${said || reasonOf(cause)}`, { cause });
  }
}
