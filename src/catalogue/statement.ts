import {
  type Compilable,
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';

/** Stands for the value of a parameter while a statement is built. */
interface Placeholder {
  readonly [parameter]: PropertyKey;
}

const parameter = Symbol('the parameter that this stands for');

const isPlaceholder = (value: unknown): value is Placeholder =>
  typeof value === 'object' && value !== null && parameter in value;

const placeholders = new Proxy(
  {},
  {
    get: (_target, key): Placeholder => ({ [parameter]: key }),
    ownKeys: () => {
      throw new Error('the parameters of a statement are not known by their names');
    },
  },
);

/** Builds and runs nothing. */
const draft = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

const names = new Map<string, string>();

/** Under which name a connection may keep this text; undefined for what is asked too seldom. */
export const nameOf = (text: string): string | undefined => names.get(text);

/**
 * A statement that is asked all the time: built once, since that takes longer than to send it, and under a name, so
 * that a connection that may keep it reads it once. PostgreSQL also keeps a plan where that is as good as a new one.
 *
 * `build` gets placeholders and may do nothing with them but hand them on as values.
 */
export function statement<Parameters extends object, Row>(
  build: (db: Database, parameters: Parameters) => Compilable<Row>,
): (db: Database, parameters: Parameters) => Promise<readonly Row[]> {
  let built: CompiledQuery<Row> | undefined;
  const compiled = () => {
    if (built !== undefined) return built;
    built = build(draft, placeholders as Parameters).compile();
    names.set(built.sql, `media_prompts_${names.size + 1}`);
    return built;
  };
  return async (db, parameters) => {
    const query = compiled();
    const values = query.parameters.map((value) =>
      isPlaceholder(value) ? Reflect.get(parameters, value[parameter]) : value,
    );
    return (await db.executeQuery<Row>({ ...query, parameters: values })).rows;
  };
}
