import { createSigner } from 'fast-jwt';
import type { Role } from './http/authentication.ts';

/** Who a token shall speak for, and how long. */
export interface TokenRequest {
  readonly userId: number;
  readonly orgUnitId: number;
  readonly role: Role;
  /** A time span such as `12h` or `30 days`. */
  readonly expiresIn: string;
}

/** Signs a token (HS256) that this service takes. @throws Error for a time span that is none */
export function signToken(secret: string, request: TokenRequest): string {
  return createSigner({ key: secret, algorithm: 'HS256', expiresIn: request.expiresIn })({
    sub: String(request.userId),
    org_unit_id: request.orgUnitId,
    role: request.role,
  });
}
