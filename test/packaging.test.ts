import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

interface ComposeService {
  readonly image?: string;
  readonly build?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const read = (name: string) => readFileSync(name, 'utf8');

describe('the Dockerfile', () => {
  const lines = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');

  test('uses the exec form everywhere, so that signals reach the service and no shell is needed', () => {
    const commands = lines.filter((line) => /^(RUN|CMD|ENTRYPOINT|HEALTHCHECK)\b/.test(line));
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const json = command.slice(command.indexOf('['));
      expect(JSON.parse(json), command).toEqual(expect.arrayContaining([expect.any(String)]));
    }
  });

  test('starts node as npm start does', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
    const command = lines.find((line) => line.startsWith('CMD')) ?? '';
    const words = JSON.parse(command.slice('CMD '.length)) as string[];
    expect(scripts.start).toMatch(new RegExp(`exec ${words.join(' ')}$`));
  });

  test('ends with an image that is not root, has an init, a health check and a volume', () => {
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM')));
    for (const start of ['USER node', 'HEALTHCHECK', 'ENTRYPOINT ["/usr/bin/tini"', 'VOLUME /data']) {
      expect(
        last.some((line) => line.startsWith(start)),
        start,
      ).toBe(true);
    }
  });

  test('copies only what the ignore file lets in', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    const copied = lines.flatMap((line) =>
      /^COPY (?!--from)/.test(line) ? line.split(' ').slice(1, -1) : [],
    );
    for (const name of copied) expect(allowed).toContain(name);
  });
});

test('the compose file starts the service when its database is healthy, and keeps both on volumes', () => {
  const { services, volumes } = parse(read('docker-compose.yml')) as {
    services: Readonly<Record<string, ComposeService>>;
    volumes: object;
  };
  expect(Object.keys(services)).toEqual(['database', 'media-prompts']);
  const { database, 'media-prompts': service } = services;
  expect(database?.healthcheck?.test[0]).toBe('CMD');
  expect(service).toMatchObject({ build: '.', depends_on: { database: { condition: 'service_healthy' } } });
  expect(service?.environment['DATABASE_URL']).toMatch(/@database:5432\/media_prompts$/);
  for (const { volumes: mounts } of Object.values(services)) {
    for (const mount of mounts ?? []) expect(Object.keys(volumes)).toContain(mount.split(':')[0]);
  }
});

test('the example with a bucket starts any number of services that keep nothing of their own', () => {
  const { services } = parse(read('docs/examples/compose-s3.yml')) as {
    services: Readonly<Record<string, ComposeService & { readonly ports?: readonly string[] }>>;
  };
  const service = services['media-prompts'];
  expect(service?.environment).toMatchObject({ BLOB_STORE: 's3', RATE_LIMIT_STORE: 'database' });
  expect(service?.volumes).toBeUndefined();
  // A fixed port would be taken by the first.
  expect(service?.ports).toEqual(['127.0.0.1::3000']);
  const config = read('src/config.ts') + read('src/config-blobs.ts');
  for (const name of Object.keys(service?.environment ?? {})) {
    if (!name.startsWith('AWS_')) expect(config).toContain(`  ${name}: `);
  }
});

describe('the Kubernetes example', () => {
  const documents = parseAllDocuments(read('docs/examples/kubernetes.yml')).map((one) => one.toJS());
  const { spec: deployment } = documents.find(({ kind }) => kind === 'Deployment');
  const { spec: pod } = deployment.template;
  const [container] = pod.containers;
  const told = (name: string) =>
    container.env.find((variable: { readonly name: string }) => variable.name === name)?.value;

  test('has a service and a budget that find the pods', () => {
    const { labels } = deployment.template.metadata;
    const selectors = documents.flatMap(({ kind, spec }) => {
      if (kind === 'Service') return [spec.selector];
      return kind === 'PodDisruptionBudget' ? [spec.selector.matchLabels] : [];
    });
    expect(selectors).toEqual([labels, labels]);
    expect(deployment.selector.matchLabels).toEqual(labels);
  });

  test('sets variables that the service reads, and gets its secrets from elsewhere', () => {
    const config = read('src/config.ts');
    for (const { name, value } of container.env) {
      expect(config).toContain(`  ${name}: `);
      if (name === 'DATABASE_URL' || name === 'JWT_SECRET') expect(value).toBeUndefined();
    }
  });

  test('leaves time for the pause, the grace and the end', () => {
    const pause = Number(container.lifecycle.preStop.exec.command[1]);
    const grace = Number(told('SHUTDOWN_GRACE_SECONDS'));
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(pause + grace + 15);
  });

  test('asks whether it lives and whether it can work at the paths for that', () => {
    expect(container.livenessProbe.httpGet.path).toBe('/healthz');
    expect(container.readinessProbe.httpGet.path).toBe('/readyz');
  });
});

test('every variable of the example environment is one that the service reads', () => {
  const config = read('src/config.ts') + read('src/config-blobs.ts');
  const names = [...read('.env.example').matchAll(/^#? ?([A-Z0-9_]+)=/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    if (name !== 'POSTGRES_PASSWORD') expect(config).toContain(`  ${name}: `);
  }
});
