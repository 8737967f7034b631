import { signal } from '@preact/signals';

export type Role = 'admin' | 'standard' | 'read_only';

/** Who is signed in, as the token says; the service alone decides whether it is true. */
export interface Session {
  readonly token: string;
  readonly userId: string | null;
  readonly orgUnitId: number;
  readonly role: Role;
  /** ms since 1970. */
  readonly expiresAt: number;
}

/** Of this tab, so that it outlives a reload and no more. */
const KEY = 'media-prompts.token';
/** The longest time that a timer takes, ms. */
const LONGEST_TIMER = 2_147_483_647;

export const session = signal<Session | null>(null);
/** The token is over; what is on the page stays until a new one comes. */
export const isExpired = signal(false);
let timer: ReturnType<typeof setTimeout> | undefined;

/** What a token says of itself; undefined when it is none. */
export function readToken(token: string): Session | undefined {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (typeof claims['org_unit_id'] !== 'number' || typeof claims['exp'] !== 'number') return undefined;
    const user = claims['user_id'] ?? claims['sub'];
    return {
      token,
      userId: user === undefined ? null : String(user),
      orgUnitId: claims['org_unit_id'],
      role: roleOf(claims['role'], claims['role_id']),
      expiresAt: claims['exp'] * 1000,
    };
  } catch {
    return undefined;
  }
}

/** What is not known grants the least, as the service has it. */
function roleOf(role: unknown, roleId: unknown): Role {
  if (role === 'admin' || role === 'standard' || role === 'read_only') return role;
  const known: Readonly<Record<number, Role>> = { 1: 'admin', 2: 'standard' };
  return role === undefined && typeof roleId === 'number' ? (known[roleId] ?? 'read_only') : 'read_only';
}

export function begin(next: Session): void {
  sessionStorage.setItem(KEY, next.token);
  isExpired.value = false;
  session.value = next;
  clearTimeout(timer);
  const left = next.expiresAt - Date.now();
  // A clock of the browser that is wrong must not end what the service would take.
  if (left > 0 && left < LONGEST_TIMER) timer = setTimeout(() => expire(next.token), left);
}

/** Goes on with the token that this tab had before a reload. */
export function resume(): void {
  const kept = readToken(sessionStorage.getItem(KEY) ?? '');
  if (kept !== undefined) begin(kept);
}

/** Says that this token is over, unless there is another one by now. */
export function expire(token: string): void {
  if (session.value?.token === token) isExpired.value = true;
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  clearTimeout(timer);
  isExpired.value = false;
  session.value = null;
}

export const mayWrite = (): boolean => session.value !== null && session.value.role !== 'read_only';
