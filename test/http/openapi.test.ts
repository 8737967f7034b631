import { readFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { describe, expect, onTestFinished } from 'vitest';
import { compose } from '../../src/compose.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import { DOCUMENT_FILE, documentSource } from '../support/openapi-files.ts';
import { type TestService, test, token } from '../support/service.ts';

interface Media {
  readonly schema: unknown;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly description?: string;
    readonly schema: { readonly description?: string };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, Media>> }>
  >;
}

const document = openApiDocument();
// The document as those read it who have it from the network.
const paths = JSON.parse(JSON.stringify(document.paths)) as Record<string, Record<string, Operation>>;

const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);

/** Every place where a body is described, with the path that leads to it in the document. */
const bodies = operations.flatMap(({ path, method, operation }) => [
  ...Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
    Object.entries(content).map(([type, media]) => ({
      at: ['paths', path, method, 'responses', status, 'content', type],
      type,
      media,
    })),
  ),
  ...Object.entries(operation.requestBody?.content ?? {}).map(([type, media]) => ({
    at: ['paths', path, method, 'requestBody', 'content', type],
    type,
    media,
  })),
]);
const jsonBodies = bodies.filter(({ type }) => /[/+]json$/.test(type));

const examplesOf = ({ example, examples = {} }: Media): readonly unknown[] => [
  ...(example === undefined ? [] : [example]),
  ...Object.values(examples).map(({ value }) => value),
];

describe('the API document', () => {
  test('is served to everybody, and is the committed copy', async ({ service }) => {
    const response = await fetch(`${service.base}/openapi.json`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
    const committed = await readFile(DOCUMENT_FILE, 'utf8');
    expect(await response.json()).toEqual(JSON.parse(committed));
    // Of another order or indent it would be another file: npm run openapi writes it.
    expect(committed).toBe(documentSource());
  });

  test('is valid by the schema of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(documentSource());
    expect({ valid, errors, version: validator.version }).toEqual({ valid: true, version: '3.1' });
  });

  test('names every operation, once, and says what it does', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(operations.length);
    for (const { path, method, operation } of operations) {
      const at = `${method} ${path}`;
      expect(operation.operationId, at).toMatch(/^[a-z][A-Za-z]+$/);
      expect(operation.summary, at).toMatch(/^[A-Z]/);
      expect(operation.tags, at).toHaveLength(1);
      for (const { name, description, schema } of operation.parameters ?? []) {
        expect(description ?? schema.description, `${at} ${name}`).toBeDefined();
      }
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(description, `${at} ${status}`).toMatch(/\.$/);
      }
    }
  });

  test('has an example for every JSON body', () => {
    expect(jsonBodies.length).toBeGreaterThan(operations.length);
    const without = jsonBodies.filter(({ media }) => examplesOf(media).length === 0);
    expect(without.map(({ at }) => at.join(' '))).toEqual([]);
  });

  test('has only examples that are valid by their own schemas', () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(ajv);
    ajv.addSchema(document, 'document');
    const inPointer = (segment: string) =>
      encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));
    const faults = jsonBodies.flatMap(({ at, media }) => {
      const validate = ajv.compile({ $ref: `document#/${[...at, 'schema'].map(inPointer).join('/')}` });
      return examplesOf(media).flatMap((example) =>
        validate(example) ? [] : [`${at.join(' ')}: ${ajv.errorsText(validate.errors)}`],
      );
    });
    expect(faults).toEqual([]);
  });

  test('has examples of errors that say the status they are examples of', () => {
    const statuses = jsonBodies.flatMap(({ at, media }) => {
      const status = Number(at[4]);
      if (at[3] !== 'responses' || status < 400) return [];
      return examplesOf(media).map((example) => {
        const { code, status: told } = example as { code?: number; status?: number | string };
        // Readiness has no status of its own.
        return [at.join(' '), status, code ?? (typeof told === 'number' ? told : status)] as const;
      });
    });
    expect(statuses.length).toBeGreaterThan(operations.length);
    for (const [at, status, told] of statuses) expect(told, at).toBe(status);
  });
});

describe('the routes of the app', () => {
  interface Route {
    readonly method: string;
    readonly url: string;
  }

  /** The document, pages, and what is no JSON are for people and machines that read no document. */
  const isDocumented = ({ url }: Route) => !/^\/(docs|console|openapi\.json|metrics)/.test(url);
  const inDocument = ({ method, url }: Route) => `${method.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`;

  /** Every route that is registered, but for those that only say that the method does not fit. */
  async function routesOf(service: TestService): Promise<readonly string[]> {
    const registered: Route[] = [];
    const observe = (app: FastifyInstance) => {
      app.addHook('onRoute', ({ method, url }) => {
        for (const each of [method].flat()) registered.push({ method: each, url });
      });
    };
    const { app, close } = await compose(service.config, pino({ level: 'silent' }), { observe });
    onTestFinished(() => close(0));
    const routes: string[] = [];
    for (const route of registered.filter(isDocumented)) {
      const { statusCode } = await app.inject({
        method: route.method as 'GET',
        url: route.url.replace(/:\w+/g, '1'),
        headers: { authorization: `Bearer ${token()}` },
      });
      if (statusCode !== 405) routes.push(inDocument(route));
    }
    return routes;
  }

  test('are all in the document, and it has no other', async ({ service }) => {
    const documented = new Set(operations.map(({ method, path }) => `${method} ${path}`));
    const routes = new Set(await routesOf(service));
    for (const route of ['post /v3/media-prompts', 'patch /api/v1/media/{id}', 'get /healthz']) {
      expect(routes).toContain(route);
    }
    // A GET answers HEAD, too; that needs no line of its own.
    const undocumented = [...routes].filter(
      (route) => !documented.has(route) && !documented.has(route.replace(/^head /, 'get ')),
    );
    expect(undocumented).toEqual([]);
    expect([...documented].filter((operation) => !routes.has(operation))).toEqual([]);
  });
});

describe('the page that shows the document', () => {
  test('is HTML for everybody, and asks no other host for anything', async ({ service }) => {
    const page = await fetch(`${service.base}/docs`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html\b/);
    const html = await page.text();
    const sources = [...html.matchAll(/<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="([^"]*)"/g)].map(
      ([, source = '']) => new URL(source, page.url),
    );
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources) {
      expect(source.origin).toBe(service.base);
      expect((await fetch(source)).status, source.href).toBe(200);
    }
  });

  test('shows the very document, and has it checked by nobody elsewhere', async ({ service }) => {
    const setUp = await (await fetch(`${service.base}/docs/static/swagger-initializer.js`)).text();
    expect(setUp).toContain("url: resolveUrl('./json')");
    expect(setUp).toContain('validatorUrl: null');
    expect(setUp.replaceAll(/^ *\/\/.*$/gm, '')).not.toMatch(/https?:/);
    const shown = await fetch(`${service.base}/docs/json`);
    expect(await shown.json()).toEqual(JSON.parse(documentSource()));
  });
});
