import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { hasNginx, startNginx } from '../support/nginx.ts';
import { freePort } from '../support/ports.ts';
import { KINDS, putRendition, WITHOUT_CONVERTER } from '../support/renditions.ts';
import { test as base, startService, type TestService } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import {
  createAsterisk,
  faultsOfPlaying,
  playByCloud,
  playByHttapi,
  playBySafari,
  playByTwilio,
} from './engines.ts';
import { type Client, createClient } from './http-client.ts';
import { addSound, addTone, EXTENSIONS } from './recordings.ts';

const CONFIGURATION = new URL('../../docs/nginx.conf', import.meta.url);

interface Nginx {
  /** A service of its own, since a test stops it. */
  readonly service: TestService;
  readonly proxy: Client;
  readonly direct: Client;
}

const test = base.extend<{ nginx: Nginx }>({
  nginx: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService(WITHOUT_CONVERTER);
      const [proxyPort, directPort] = [await freePort(), await freePort()];
      const text = await readFile(CONFIGURATION, 'utf8');
      // nginx's workers may be another user.
      await chmod(service.dataDir, 0o755);
      const nginx = await startNginx(
        (folder) =>
          text
            .replace(/(?<=^[^#]*)SERVICE/m, new URL(service.base).host)
            .replace(/(?<=^[^#]*)CACHE_DIR/m, join(folder, 'cache'))
            .replace(/(?<=^[^#]*)DATA_DIR/m, service.dataDir)
            .replace('127.0.0.1:8080', `127.0.0.1:${proxyPort}`)
            .replace('127.0.0.1:8081', `127.0.0.1:${directPort}`),
        [proxyPort, directPort],
      );
      const proxy = createClient(`http://127.0.0.1:${proxyPort}`);
      const direct = createClient(`http://127.0.0.1:${directPort}`);
      await use({ service, proxy, direct });
      proxy.close();
      direct.close();
      await nginx.stop();
      await service.close();
    },
    { scope: 'file' },
  ],
});

const DAY = 86_400;

describe.skipIf(!hasNginx).each(['proxy', 'direct'] as const)('docs/nginx.conf, the %s server', (which) => {
  test.for(EXTENSIONS)('plays %s in every engine', async (extension, { nginx }) => {
    const { path, bytes, type } = await addTone(nginx.service, which, extension);
    const client = nginx[which];
    const asterisk = createAsterisk(client);
    for (const now of [0, DAY, 2 * DAY])
      expect(faultsOfPlaying(await asterisk.play(path, now), bytes)).toEqual([]);
    expect(asterisk.requests).toEqual(['GET', 'HEAD', 'HEAD']);
    expect(faultsOfPlaying(await playByHttapi(client, path, extension), bytes)).toEqual([]);
    expect(faultsOfPlaying(await playByTwilio(client, path), bytes)).toEqual([]);
    expect(faultsOfPlaying(await playByCloud(client, path), bytes)).toEqual([]);
    expect(faultsOfPlaying(await playBySafari(client, path), bytes)).toEqual([]);
    const { headers } = await client.ask('GET', path);
    expect(headers).toMatchObject({
      'content-type': type,
      'cache-control': `public, max-age=${DAY}`,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
    });
  });

  test.for(KINDS)('plays the rendition %s', async (kind, { nginx }) => {
    const { service, [which]: client } = nginx;
    const { body: uploaded } = await service.upload(promptForm(`${which} rendition ${kind}`));
    const { path, bytes, type, etag } = await putRendition(service, uploaded.data, kind);
    for (const method of ['HEAD', 'GET']) {
      const { status, headers, body } = await client.ask(method, path);
      expect({ method, status }).toEqual({ method, status: 200 });
      expect(headers).toMatchObject({
        'content-type': type,
        'content-length': String(bytes.byteLength),
        etag,
        'cache-control': `public, max-age=${DAY}`,
        'x-content-type-options': 'nosniff',
        'accept-ranges': 'bytes',
      });
      if (method === 'GET') expect(body.equals(bytes)).toBe(true);
    }
    expect((await client.ask('GET', path, { Range: 'bytes=0-1' })).status).toBe(206);
    expect((await client.ask('HEAD', path, { 'If-None-Match': etag })).status).toBe(304);
  });

  test('shows nothing that was not published', async ({ nginx }) => {
    const { path } = await addTone(nginx.service, `${which} secrets`, 'wav');
    const client = nginx[which];
    await writeFile(join(nginx.service.dataDir, 'uploads/.arriving/secret.wav'), 'secret');
    for (const hidden of [
      '/uploads/.arriving/secret.wav',
      '/uploads/call-flow-recordings/../.arriving/secret.wav',
      '/uploads/call-flow-recordings/..%2f.arriving%2fsecret.wav',
      '/uploads/call-flow-recordings/%2e%2e/.arriving/secret.wav',
      '/uploads/call-flow-recordings/',
      '/uploads/',
      '/jwt-secret',
      path.replace('.wav', '.mp3'),
      `${path}/`,
    ]) {
      const { status, body } = await client.ask('GET', hidden);
      expect({ hidden, status }).toEqual({ hidden, status: 404 });
      expect(body.toString()).not.toContain('secret');
    }
  });
});

describe.skipIf(!hasNginx)('docs/nginx.conf', () => {
  test('answers ranges from its own copy, and asks the service once', async ({
    nginx: { service, proxy },
  }) => {
    const { path, bytes } = await addSound(service, 'Copied', noise(100_000, 4), 'wav');
    const asked = () => service.library.shelf().hits + service.library.shelf().misses;
    const before = asked();
    for (let i = 0; i < 20; i += 1) {
      const { status, body } = await proxy.ask('GET', path, { Range: `bytes=${i * 100}-${i * 100 + 99}` });
      expect(status).toBe(206);
      expect(body.equals(bytes.subarray(i * 100, i * 100 + 100))).toBe(true);
      expect((await proxy.ask('HEAD', path)).status).toBe(200);
    }
    expect(asked() - before).toBe(1);
  });

  test('keeps no failure: what is uploaded later plays', async ({ nginx: { service, proxy } }) => {
    const path = `/uploads/call-flow-recordings/file-1768912496789-${'0'.repeat(39)}.wav`;
    for (let i = 0; i < 2; i += 1) {
      const { status, headers } = await proxy.ask('GET', path);
      expect(status).toBe(404);
      expect(headers['cache-control']).toBe('no-store');
    }
    expect(service.library.shelf()).toBeDefined();
  });

  test('serves nothing from the disk once the delete was acknowledged', async ({
    nginx: { service, direct },
  }) => {
    const { body } = await service.upload(promptForm('Deleted from disk'));
    const { media_prompt_id: id, url } = body.data;
    const { path } = await putRendition(service, body.data, 'pcm8k');
    for (const there of [url, path]) expect((await direct.ask('GET', there)).status).toBe(200);
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
    for (const gone of [url, path]) expect((await direct.ask('GET', gone)).status).toBe(404);
  });

  test('lets uploads through to the service', async ({ nginx: { proxy } }) => {
    const { status, headers } = await proxy.ask('POST', '/v3/media-prompts');
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer');
  });
});
