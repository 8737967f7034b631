import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConverterMissingError, chooseConverter } from '../../src/conversion/choose-converter.ts';
import { CONVERTERS } from './workbench.ts';

/** A folder for programs, at first without any. */
function programs(): string {
  const folder = mkdtempSync(join(tmpdir(), 'programs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A program that answers as ffmpeg would, but knows two encoders only. */
function poorFfmpeg(): string {
  const folder = programs();
  const answers = [
    `-version) echo 'ffmpeg version 6.0-static https://example.org Copyright';;`,
    `-encoders) printf ' A....D pcm_s16le  PCM\\n A....D pcm_mulaw  PCM\\n';;`,
    `-filters) printf ' ... aresample A->A x\\n';;`,
  ];
  writeFileSync(join(folder, 'ffmpeg'), `#!/bin/sh\ncase "$2" in\n${answers.join('\n')}\nesac\n`);
  chmodSync(join(folder, 'ffmpeg'), 0o755);
  return folder;
}

describe('the converter', () => {
  test.skipIf(!CONVERTERS.includes('ffmpeg'))(
    'is the ffmpeg of the machine, when it has all parts',
    async () => {
      for (const choice of ['auto', 'ffmpeg'] as const) {
        const { converter, reason } = await chooseConverter(choice);
        expect(converter).toMatchObject({
          kind: 'ffmpeg',
          version: expect.stringMatching(/^ffmpeg \d+\.\d+/),
        });
        expect(reason).toBe(`${converter?.version} of this machine converts.`);
      }
    },
  );

  test.skipIf(!CONVERTERS.includes('ffmpeg'))(
    'is held by what the machine has for that, and what it has not is told',
    async () => {
      const searchPath = programs();
      for (const [name, script] of [
        ['ffmpeg', 'exec /usr/bin/env ffmpeg "$@"'],
        ['prlimit', 'exit 1'],
      ] as const) {
        writeFileSync(join(searchPath, name), `#!/bin/sh\nPATH=${process.env['PATH']}; ${script}\n`);
        chmodSync(join(searchPath, name), 0o755);
      }
      const { converter, fenceLacks } = await chooseConverter('auto', { searchPath });
      expect(converter?.kind).toBe('ffmpeg');
      expect(fenceLacks?.map((lack) => /\((\w+)\)/.exec(lack)?.[1])).toEqual([
        'prlimit',
        'unshare',
        'setpriv',
      ]);
    },
  );

  test('is the WASM core where there is no ffmpeg, and the reason says both', async () => {
    const { converter, reason } = await chooseConverter('auto', { searchPath: programs() });
    expect(converter).toMatchObject({ kind: 'wasm', version: '@ffmpeg/core 0.12.10' });
    expect(reason).toBe('There is no ffmpeg on this machine. @ffmpeg/core 0.12.10 converts.');
  });

  test('is the WASM core where the ffmpeg lacks a part', async () => {
    const { converter, reason } = await chooseConverter('auto', { searchPath: poorFfmpeg() });
    expect(converter?.kind).toBe('wasm');
    expect(reason).toMatch(
      /^The ffmpeg of this machine \(6\.0\) lacks pcm_alaw, g722, libmp3lame, libopus, .*ebur128/,
    );
  });

  test('is none where neither is there, and the reason says so', async () => {
    const nowhere = { searchPath: programs(), wasmPackage: '@ffmpeg/nowhere' };
    expect(await chooseConverter('auto', nowhere)).toEqual({
      converter: undefined,
      reason: 'There is no ffmpeg on this machine. The package @ffmpeg/nowhere is not installed.',
    });
    for (const choice of ['ffmpeg', 'wasm'] as const) {
      const refusal = chooseConverter(choice, nowhere);
      await expect(refusal).rejects.toBeInstanceOf(ConverterMissingError);
      await expect(refusal).rejects.toThrow(
        /^The(?:re is no ffmpeg on this machine| package .* is not installed)\.$/,
      );
    }
  });

  test('is none when it is switched off', async () => {
    expect(await chooseConverter('off')).toEqual({
      converter: undefined,
      reason: 'Conversion is switched off.',
    });
  });
});
