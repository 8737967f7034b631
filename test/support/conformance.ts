import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { openApiDocument } from '../../src/http/openapi.ts';

interface Response {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, unknown>>;
}

type Paths = Readonly<
  Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Response>> }>>>
>;

const document = openApiDocument();
const paths = document.paths as unknown as Paths;

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(document, 'document');

/** The document itself, pages for people, and what speaks another language than JSON. */
const UNDOCUMENTED = /^\/(docs|console|openapi\.json|metrics)/;
const ERROR_SCHEMAS = { 'application/json': 'Error', 'application/problem+json': 'Problem' } as const;

/**
 * Watches every answer of an app and returns what contradicts the API document: a status that is not there, a
 * content type or a header that is not, a body of another shape.
 */
export function watchConformance(app: FastifyInstance): readonly string[] {
  const faults: string[] = [];
  const seen = new WeakSet<FastifyRequest>();
  app.addHook('onSend', async (request, reply, payload) => {
    seen.add(request);
    const at = `${request.method} ${request.routeOptions.url ?? 'no route'} ${reply.statusCode}`;
    const type = String(reply.getHeader('content-type') ?? '').split(';')[0] ?? '';
    const answer = { request, status: reply.statusCode, type, headers: reply.getHeaders(), payload };
    for (const fault of faultsOf(answer)) {
      faults.push(`${at}: ${fault}`);
    }
  });
  // What plays a recording takes the answer out of Fastify's hands: of that, the status is held here.
  app.addHook('onResponse', async (request, reply) => {
    const { url } = request.routeOptions;
    if (!reply.sent || url === undefined || UNDOCUMENTED.test(url) || seen.has(request)) return;
    const { statusCode: status } = reply.raw;
    const path = pathOf(url);
    if (paths[path]?.[methodOf(path, request.method)]?.responses[status] === undefined) {
      faults.push(`${request.method} ${url} ${status}: the status is not in the document`);
    }
  });
  return faults;
}

interface Answer {
  readonly request: FastifyRequest;
  readonly status: number;
  /** Without parameters. */
  readonly type: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
}

function* faultsOf(answer: Answer): Generator<string> {
  const { request, status, headers } = answer;
  const { url } = request.routeOptions;
  if (url !== undefined && UNDOCUMENTED.test(url)) return;
  // The answer to a preflight is the browser's, not the client's.
  if (request.method === 'OPTIONS' && status === 204) return;
  if (headers['x-request-id'] === undefined) yield 'no x-request-id';
  const path = url === undefined ? undefined : pathOf(url);
  const isOperation = path !== undefined && paths[path]?.[methodOf(path, request.method)] !== undefined;
  if (isOperation && status !== 405) yield* faultsByDocument(answer, path);
  else yield* faultsOfError(answer);
}

/** What belongs to no documented operation must still be an error in one of the two shapes. */
function* faultsOfError({ type, payload }: Answer): Generator<string> {
  const schema = ERROR_SCHEMAS[type as keyof typeof ERROR_SCHEMAS];
  if (schema === undefined) yield `an error of type ${type}`;
  else yield* faultsOfBody(`/components/schemas/${schema}`, payload);
}

function* faultsByDocument(answer: Answer, path: string): Generator<string> {
  const { request, status, type, headers, payload } = answer;
  const method = methodOf(path, request.method);
  const response = paths[path]?.[method]?.responses[status];
  if (response === undefined) {
    yield 'the status is not in the document';
    return;
  }
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    if (isRequired(header) && headers[name.toLowerCase()] === undefined) yield `no header ${name}`;
  }
  if (request.method === 'HEAD' || status === 204 || status === 302) return;
  if (response.content?.[type] === undefined) yield `the type ${type} is not in the document`;
  else if (type.endsWith('json')) {
    const pointer = ['paths', path, method, 'responses', String(status), 'content', type, 'schema'];
    yield* faultsOfBody(`/${pointer.map(inPointer).join('/')}`, payload);
  }
}

const isRequired = (header: unknown) =>
  typeof header === 'object' && header !== null && 'required' in header && header.required === true;

/** GET routes answer HEAD too, with the same headers. */
const methodOf = (path: string, method: string) => {
  const name = method.toLowerCase();
  return name === 'head' && paths[path]?.[name] === undefined ? 'get' : name;
};

const pathOf = (url: string) => url.replace(/:([a-z_]+)/g, '{$1}');
const inPointer = (segment: string) =>
  encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));

function* faultsOfBody(pointer: string, payload: unknown): Generator<string> {
  const validate = validatorOf(pointer);
  const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
  const body: unknown = isText ? JSON.parse(payload.toString()) : payload;
  if (!validate(body)) yield `${ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 300)}`;
}

function validatorOf(pointer: string): ValidateFunction {
  const validate = ajv.getSchema(`document#${pointer}`);
  if (validate === undefined) throw new Error(`no schema at ${pointer}`);
  return validate;
}
