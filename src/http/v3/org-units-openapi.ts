import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { answer, COMMON, failure, NO_UNIT, refusal, success } from './openapi.ts';
import { orgUnitAnswer, orgUnitParams, orgUnitsAnswer, orgUnitsQuery } from './org-units.ts';

const BERLIN = { org_unit_id: 3, name: 'Berlin', parent_id: 2, path: ['Default', 'Sales', 'Berlin'] };

/** The routes of org-units.ts as the API document has them. */
export const v3OrgUnitPaths: ZodOpenApiPathsObject = {
  '/v3/org-units': {
    get: {
      operationId: 'listOrgUnits',
      summary: 'List org units',
      description:
        'The org unit of the token and all below it, by name: for choosing one. An operator adds them with the CLI.',
      tags: ['Prompts (v3)'],
      requestParams: { query: orgUnitsQuery },
      responses: {
        200: answer(
          'One page by name, and the exact total.',
          orgUnitsAnswer,
          success({
            org_units: [
              BERLIN,
              { org_unit_id: 1, name: 'Default', parent_id: null, path: ['Default'] },
              { org_unit_id: 2, name: 'Sales', parent_id: 1, path: ['Default', 'Sales'] },
            ],
            total: 3,
          }),
        ),
        400: refusal(
          'A parameter is out of range.',
          failure(400, 'limit must be a whole number from 1 to 200.', { field: 'limit', code: 'invalid' }),
        ),
        ...COMMON,
      },
    },
  },
  '/v3/org-units/{org_unit_id}': {
    get: {
      operationId: 'getOrgUnit',
      summary: 'Get an org unit',
      tags: ['Prompts (v3)'],
      requestParams: { path: orgUnitParams },
      responses: {
        200: answer('The org unit.', orgUnitAnswer, success(BERLIN)),
        400: refusal(
          'The ID is no ID.',
          failure(400, 'org_unit_id must be a whole number from 1.', {
            field: 'org_unit_id',
            code: 'invalid',
          }),
        ),
        404: NO_UNIT,
        ...COMMON,
      },
    },
  },
};
