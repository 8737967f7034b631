import { join } from 'node:path';
import { z } from 'zod';
import { whole } from './config-values.ts';

/** Where the bytes are kept. */
export type BlobChoice = DiskChoice | S3Choice;

export interface DiskChoice {
  readonly kind: 'disk';
  readonly directory: string;
}

export interface S3Choice {
  readonly kind: 's3';
  readonly bucket: string;
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined;
  /** Undefined: what the SDK finds. */
  readonly region: string | undefined;
  /** With its last slash; may be empty. */
  readonly prefix: string;
  /** Whether the service hands on the bytes, or sends who asks for them to the store. */
  readonly serve: 'proxy' | 'redirect';
  readonly spool: { readonly directory: string; readonly maxBytes: number };
}

const ENDPOINT = 'must be an http or https url without a user, a path or a query';

/** The most that one request may bring to an object store, bytes. */
const LARGEST_OBJECT = 5 * 1024 ** 3;
/** What engines that need no region are told; the signature has to name one. */
const ANY_REGION = 'us-east-1';

/** The variables about the store of the bytes. */
export const blobVariables = {
  BLOB_STORE: z.enum(['disk', 's3']).default('disk'),
  S3_BUCKET: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/, 'must be the name of a bucket')
    .optional(),
  S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: ENDPOINT })
    .refine((url) => url.replace(/\/$/, '') === URL.parse(url)?.origin, ENDPOINT)
    .optional(),
  S3_REGION: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a region')
    .optional(),
  S3_PREFIX: z
    .string()
    .max(512)
    .regex(
      /^(?!\/)(?!.*\/\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9!_.*'()/-]+$/,
      'must be a path such as prompts/ without a slash before it',
    )
    .optional(),
  S3_SERVE: z.enum(['proxy', 'redirect']).default('proxy'),
  S3_SPOOL_BYTES: whole(1, 999_999_999_999_999).default(2 * 1024 ** 3),
} as const;

type BlobVariables = z.output<z.ZodObject<typeof blobVariables>>;

/** What the settings of the store and the size of uploads have against each other: the variable, and what is wrong with it. */
export function* blobContradictions({
  BLOB_STORE,
  S3_SPOOL_BYTES,
  MAX_UPLOAD_BYTES,
}: BlobVariables & { readonly MAX_UPLOAD_BYTES: number }): Generator<readonly [string, string]> {
  if (BLOB_STORE !== 's3') return;
  if (MAX_UPLOAD_BYTES > LARGEST_OBJECT) {
    yield ['MAX_UPLOAD_BYTES', `must be at most ${LARGEST_OBJECT} with BLOB_STORE=s3`];
  }
  if (S3_SPOOL_BYTES < MAX_UPLOAD_BYTES) {
    yield ['S3_SPOOL_BYTES', 'must have room for an upload of MAX_UPLOAD_BYTES'];
  }
}

/** Both stores as far as they are configured; the one that is used is named by BLOB_STORE. */
export function blobChoicesFrom(
  e: BlobVariables,
  dataDir: string,
): { readonly disk: DiskChoice; readonly s3: S3Choice | undefined } {
  const disk = { kind: 'disk', directory: join(dataDir, 'uploads') } as const;
  if (e.S3_BUCKET === undefined) return { disk, s3: undefined };
  const endpoint = e.S3_ENDPOINT?.replace(/\/$/, '');
  const s3 = {
    kind: 's3',
    bucket: e.S3_BUCKET,
    endpoint,
    region: e.S3_REGION ?? (endpoint === undefined ? undefined : ANY_REGION),
    prefix: e.S3_PREFIX === undefined ? '' : e.S3_PREFIX.replace(/\/?$/, '/'),
    serve: e.S3_SERVE,
    spool: { directory: join(dataDir, 'spool'), maxBytes: e.S3_SPOOL_BYTES },
  } as const;
  return { disk, s3 };
}
