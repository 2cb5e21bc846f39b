import { quoteIdentifier } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import type { Random } from '../oracle/random.ts'
import type { AppSchema } from './app-schema.ts'

const ORGS = ['a', 'b']

/** Writes rows as an app's own endpoint does. */
export async function writeRows(database: Database, schema: AppSchema, random: Random, count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    const table = random.pick(schema.tables)
    const texts = table.columns.filter(({ type }) => type === 'text' || type.startsWith('varchar'))
    const [org, team] = [random.pick(ORGS), random.pick(ORGS)]
    const token = `d${random.below(1_000_000)}`
    const kind = random.weighted({ insert: 4, update: 4, move: 1, delete: 1, refer: 1 })
    const name = `public.${quoteIdentifier(table.name)}`
    const place = `(SELECT id FROM ${name} ORDER BY md5(id::text || $1::text) LIMIT 1)`
    const column = texts.length === 0 ? null : random.pick(texts).name
    if (kind === 'insert' && column === null)
      await database.query(`INSERT INTO ${name} (id, org, team) VALUES (gen_random_uuid(), $1, $2)`, [org, team])
    else if (kind === 'insert')
      await database.query(`INSERT INTO ${name} (id, org, team, ${column}) VALUES (gen_random_uuid(), $1, $2, $3)`, [
        org,
        team,
        token,
      ])
    else if (kind === 'update' && column !== null)
      await database.query(`UPDATE ${name} SET ${column} = $1::text WHERE id = ${place}`, [token])
    else if (kind === 'move')
      await database.query(`UPDATE ${name} SET org = $2::text, team = $3::text WHERE id = ${place}`, [token, org, team])
    else if (kind === 'refer') await refer(database, name, place, token)
    else if (kind === 'delete') await database.query(`DELETE FROM ${name} WHERE id = ${place}`, [token])
  }
}

const REFERENCES = `
  SELECT quote_ident(a.attname) AS column, c.confrelid::regclass::text AS parent FROM pg_constraint c
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
  WHERE c.contype = 'f' AND c.conrelid = $1::text::regclass AND c.conparentid = 0 ORDER BY a.attname`

/** Lets a row refer to any other that its table may refer to, of whatever audience that is. */
async function refer(database: Database, name: string, place: string, token: string): Promise<void> {
  const [reference] = await database.query(REFERENCES, [name])
  if (!reference) return
  const parent = `(SELECT id FROM ${reference.parent} ORDER BY md5(id::text || $1::text) DESC LIMIT 1)`
  await database.query(`UPDATE ${name} SET ${reference.column} = ${parent} WHERE id = ${place}`, [token])
}
