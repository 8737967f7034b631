import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Library } from '../../library/library.ts';
import type { SeenOrgUnit } from '../../library/reading.ts';
import { MAX_NAME_LENGTH } from '../../library/vocabulary.ts';
import { success } from '../envelope.ts';
import { envelopeOf } from '../envelope-schemas.ts';
import { shortText, wholeNumber } from '../fields.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { inputOf } from './input.ts';

const MOST_IDS = 200;
const IDS_MESSAGE = `ids must be up to ${MOST_IDS} IDs of org units with commas between.`;

/** The query of a list of org units. Keys it does not know are ignored. */
export const orgUnitsQuery = z.object({
  name: shortText({
    name: 'name',
    longest: MAX_NAME_LENGTH,
    description: 'Part of the name, in any case; % and _ are ordinary characters.',
    example: 'sales',
  }).default(''),
  ids: z
    .string({ error: IDS_MESSAGE })
    .max(MOST_IDS * 17, { error: IDS_MESSAGE })
    .regex(/^[1-9]\d{0,14}(,[1-9]\d{0,14})*$/, { error: IDS_MESSAGE })
    .transform((ids) => ids.split(',').map(Number))
    .refine((ids) => ids.length <= MOST_IDS, { error: IDS_MESSAGE })
    .meta({
      description: `Only these org units: up to ${MOST_IDS} IDs with commas between. Those that the token does not reach are left out.`,
      example: '3,7',
    })
    .optional(),
  limit: wholeNumber({
    name: 'limit',
    least: 1,
    most: 200,
    preset: 100,
    description: 'Org units on a page.',
  }).default(100),
  offset: wholeNumber({
    name: 'offset',
    least: 0,
    preset: 0,
    description: 'Org units to skip.',
  }).default(0),
});

export const orgUnitParams = z.object({
  org_unit_id: wholeNumber({
    name: 'org_unit_id',
    least: 1,
    description: 'ID of an org unit within the reach of the token.',
    example: 3,
  }),
});

const orgUnitSchema = z
  .strictObject({
    org_unit_id: z.int().min(1),
    name: z.string(),
    parent_id: z.int().min(1).nullable().meta({
      description: 'The unit that it is directly below; null for the unit of the token.',
    }),
    path: z.array(z.string()).meta({ description: 'Names from the unit of the token down to this one.' }),
  })
  .meta({ id: 'OrgUnit' });

export const orgUnitAnswer = envelopeOf('OrgUnitAnswer', orgUnitSchema);
export const orgUnitsAnswer = envelopeOf(
  'OrgUnitListAnswer',
  z.strictObject({
    org_units: z.array(orgUnitSchema),
    total: z.int().min(0).meta({ description: 'Of all that match, exactly.' }),
  }),
);

/** The units of the tree that a token reaches: for choosing one by its name. */
export function orgUnitRoutes(app: FastifyInstance, { library }: { readonly library: Library }): void {
  app.get('/org-units', list);
  app.get('/org-units/:org_unit_id', get);
  methodNotAllowed(app, '/org-units', ['GET', 'HEAD']);
  methodNotAllowed(app, '/org-units/:org_unit_id', ['GET', 'HEAD']);

  async function list(request: FastifyRequest) {
    const { name, ...rest } = inputOf(request, orgUnitsQuery);
    const { units, total } = await library.orgUnits(request.principal, { namePart: name, ...rest });
    return success({ org_units: units.map(presentOrgUnit), total }, request.id);
  }

  async function get(request: FastifyRequest) {
    const { org_unit_id: id } = inputOf(request, orgUnitParams);
    return success(presentOrgUnit(await library.orgUnit(request.principal, id)), request.id);
  }
}

const presentOrgUnit = ({ id, name, parentId, trail }: SeenOrgUnit) => ({
  org_unit_id: id,
  name,
  parent_id: parentId,
  path: trail,
});
