import { createSigner } from 'fast-jwt';
import type { Role } from './http/authentication.ts';

/** Who a token shall speak for, and how long. */
export interface TokenRequest {
  readonly userId: number;
  readonly orgUnitId: number;
  readonly role: Role;
  /** A time span such as `12h` or `30 days`. */
  readonly expiresIn: string;
  /** What the service demands of every token, where it does. */
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/** Signs a token (HS256) that this service takes. @throws Error for a time span that is none */
export function signToken(secret: string, request: TokenRequest): string {
  const { expiresIn, issuer, audience } = request;
  return createSigner({
    key: secret,
    algorithm: 'HS256',
    expiresIn,
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
  })({
    sub: String(request.userId),
    org_unit_id: request.orgUnitId,
    role: request.role,
  });
}
