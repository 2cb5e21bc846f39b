import { markIndex } from './marks.ts'

/**
 * Declares an index that TypeORM's `@Index` cannot express: one with an order, over an expression, of other operators.
 *
 * `on` is what follows `ON` and the table in `CREATE INDEX`, in names of the database, such as `(org_id, updated_at
 * DESC)`. `tidemark migration:generate` makes it; TypeORM's own migrations know nothing of it.
 */
export function SqlIndex(
  name: string,
  on: string,
  options: { unique?: boolean } = {},
): (entity: abstract new (...args: never[]) => object) => void {
  return (entity) => markIndex(entity, { name, on, unique: options.unique ?? false })
}
