import { createHash } from 'node:crypto';
import pino, { type DestinationStream, type Logger } from 'pino';

/** How many causes of an error are told. */
const MAX_CAUSES = 8;
/** Facts of an error that are words of a program, never a part of what somebody sent. */
const FACTS = ['code', 'errno', 'syscall', 'constraint', 'severity'] as const;

/**
 * The log: a line of JSON for each event. Whatever is handed to it, no line holds a token, the password of a
 * database url, a value that the database repeats from a row, or the name of a recording, which would play it.
 */
export function createLog(level: string, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      serializers: { err: factsOf, error: factsOf, req: () => undefined, res: () => undefined },
      hooks: { streamWrite: withoutSecrets },
    },
    destination,
  );
}

/** Where the log goes: on a terminal, where a person reads, made readable if the package for that is there. */
export async function logDestination(isTerminal: boolean): Promise<DestinationStream> {
  if (!isTerminal) return pino.destination(1);
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ ignore: 'pid,hostname,reqId', sync: true });
  } catch {
    return pino.destination(1);
  }
}

const PASSWORD_PARAMETER = /([?&]password=)[^&\s"]+/g;
/** Of a link into an object store: with these, whoever reads the log could follow it. */
const LINK_PARAMETER = /(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"]+/gi;
/** A JWT, or what is left of one that was cut off. */
const TOKEN = /\beyJ[\w-]{10,}(?:\.[\w-]*){0,2}/g;
/** A hash of the name still tells which lines speak of the same recording. */
const RECORDING = /\bfile-\d{13}-\d{39}/g;
const PASSWORD = /(\bpostgres(?:ql)?:\/\/[^\s:/@"]*):[^\s"]*@/g;

function withoutSecrets(line: string): string {
  return line
    .replaceAll(TOKEN, '[token]')
    .replaceAll(
      RECORDING,
      (name) => `recording-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`,
    )
    .replaceAll(PASSWORD, '$1:[password]@')
    .replaceAll(PASSWORD_PARAMETER, '$1[password]')
    .replaceAll(LINK_PARAMETER, '$1[link]');
}

/** pino's own serialiser keeps every member, of which some hold rows and requests. */
function factsOf(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const isTold = depth < MAX_CAUSES;
  return {
    type: error.name,
    message: messageOf(error),
    stack: `${error.name}: ${messageOf(error)}${framesOf(error)}`,
    ...Object.fromEntries(FACTS.map((fact) => [fact, Reflect.get(error, fact)])),
    ...(isTold && cause !== undefined && { cause: factsOf(cause, depth + 1) }),
    ...(isTold &&
      error instanceof AggregateError && { errors: error.errors.map((one) => factsOf(one, depth + 1)) }),
  };
}

/** PostgreSQL repeats the values at fault, so that of its words only the kind is kept. */
function messageOf(error: Error): string {
  const isOfDatabase = 'severity' in error && 'code' in error;
  return isOfDatabase ? `The database answered ${String(error.code)}.` : error.message;
}

function framesOf({ stack = '' }: Error): string {
  const frames = stack.search(/\n\s+at /);
  return frames < 0 ? '' : stack.slice(frames);
}
