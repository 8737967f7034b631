import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** The least version in which the faults named are mended; by major version where several are kept up. */
interface Floor {
  readonly least: readonly string[];
  readonly because: string;
  /** We can do without it: checked where something brings it along. */
  readonly optional?: true;
}

const FLOORS: Readonly<Record<string, Floor>> = {
  fastify: {
    least: ['5.12.3'],
    because:
      'CVE-2025-32442, CVE-2026-25223, CVE-2026-25224, CVE-2026-3635, CVE-2026-33806, GHSA-573f-x89g-hqp9',
  },
  '@fastify/multipart': { least: ['10.1.0'], because: 'CVE-2025-24033, CVE-2023-25576' },
  '@fastify/busboy': { least: ['3.2.2'], because: 'CVE-2022-24434; bare line breaks in part headers' },
  'fast-jwt': {
    least: ['6.3.0'],
    because: 'CVE-2026-34950, CVE-2026-35039, CVE-2026-35041, CVE-2026-35042, CVE-2026-44351',
  },
  'find-my-way': { least: ['9.0.1'], because: 'CVE-2024-45813' },
  'fast-uri': { least: ['3.1.7', '4.1.4'], because: 'CVE-2026-6321, CVE-2026-6322, CVE-2026-84394' },
  'file-type': { least: ['21.3.1'], because: 'CVE-2026-31808' },
  'music-metadata': { least: ['12.1.0'], because: 'CVE-2026-32256, GHSA-f94x-6692-553q', optional: true },
  kysely: { least: ['0.29.0'], because: 'CVE-2026-32763, CVE-2026-33468, CVE-2026-44635' },
  zod: { least: ['4.5.0'], because: 'AIKIDO-2026-500926' },
  '@fastify/static': { least: ['10.1.3'], because: 'CVE-2026-7120, CVE-2026-15074', optional: true },
  qs: { least: ['6.14.2'], because: 'CVE-2025-15284, CVE-2026-2391', optional: true },
  undici: { least: ['6.24.0', '7.24.0'], because: 'CVE-2026-1525, CVE-2026-22036', optional: true },
};

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
};

/** Every copy of a package that the lock file would install. */
function versionsOf(name: string): readonly string[] {
  return Object.entries(lock.packages).flatMap(([path, { version }]) =>
    path.endsWith(`node_modules/${name}`) && version !== undefined ? [version] : [],
  );
}

/** Is the version at or above the floor of its major version, or of a later major version than any? */
function isMended(version: string, floors: readonly string[]): boolean {
  const floor = floors.find((candidate) => major(candidate) === major(version)) ?? floors.at(-1) ?? '';
  return compare(version, floor) >= 0;
}

const major = (version: string) => Number(version.split('.')[0]);

/** A pre-release comes before its release. */
function compare(one: string, other: string): number {
  const [mine = '', ...preRelease] = one.split('-');
  const order = mine.localeCompare(other, 'en', { numeric: true });
  return order === 0 && preRelease.length > 0 ? -1 : order;
}

describe('no package is older than the release that mended it', () => {
  for (const [name, { least, because, optional = false }] of Object.entries(FLOORS)) {
    test(`${name} >= ${least.join(' or ')}: ${because}`, () => {
      const versions = versionsOf(name);
      if (!optional) expect(versions, `${name} is in the lock file`).not.toEqual([]);
      expect(versions.filter((version) => !isMended(version, least))).toEqual([]);
    });
  }
});

describe('the comparison', () => {
  const cases = [
    ['3.1.6', ['3.1.7', '4.1.4'], false],
    ['3.1.10', ['3.1.7', '4.1.4'], true],
    ['4.1.3', ['3.1.7', '4.1.4'], false],
    ['4.2.0', ['3.1.7', '4.1.4'], true],
    ['5.0.0', ['3.1.7', '4.1.4'], true],
    ['2.9.9', ['3.1.7', '4.1.4'], false],
    ['9.0.1-beta.1', ['9.0.1'], false],
    ['0.28.17', ['0.29.0'], false],
  ] as const;
  for (const [version, floors, mended] of cases) {
    test(`takes ${version} for ${mended ? 'mended' : 'too old'} by ${floors.join(' or ')}`, () => {
      expect(isMended(version, floors)).toBe(mended);
    });
  }
});
