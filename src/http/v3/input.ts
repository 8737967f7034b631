import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { invalidFields } from '../failure.ts';
import { check } from '../validation.ts';
import { promptParams } from './schemas.ts';

/** Path and query of a request by a schema of both. @throws RequestError that names every field at fault */
export function inputOf<Schema extends z.ZodObject>(
  request: FastifyRequest,
  schema: Schema,
): z.output<Schema> {
  // Objects by their types of Fastify alone, which knows no schema here.
  const { query, params } = request as { query: object; params: object };
  // The path wins: it is what the request is about.
  const checked = check(schema, { ...query, ...params });
  if (!checked.success) throw invalidFields(checked.faults);
  return checked.data;
}

/** @throws RequestError when the path has no ID of a prompt */
export function promptIdOf(request: FastifyRequest): number {
  return inputOf(request, promptParams).media_prompt_id;
}
