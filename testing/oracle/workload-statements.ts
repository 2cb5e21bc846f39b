import { quoteIdentifier } from '../../protocol/index.ts'
import type { Random } from './random.ts'
import { ITEM_VALUES, uuidOf } from './values.ts'

/** Audiences of the app: organisations and users by number; a row may also belong to none. */
export const ORGS = [1, 2, 3, 4].map((number) => uuidOf(0x0a, number))
export const USERS = ['ann', 'bob', 'cy'] as const

export interface Statement {
  readonly text: string
  readonly params: readonly (string | null)[]
}

const ITEMS = 120
export const PROJECTS = 6
export const NOTES = 60
export const REMARKS = 80
export const FACES = 60
export const SETTINGS = 8
const BULK_KIND = 0xb0

export const statement = (text: string, ...params: (string | number | null)[]): Statement => ({
  text,
  params: params.map((value) => (value === null ? null : String(value))),
})

export const itemId = (random: Random) => uuidOf(0x17, random.below(ITEMS))
export const org = (random: Random) => random.pick(ORGS)
export const orgOrNone = (random: Random) => (random.chance(0.1) ? null : org(random))
export const userOrNone = (random: Random) => (random.chance(0.1) ? null : random.pick(USERS))

/** Makes values for some of the columns, NULL now and then. */
function someValues(random: Random, from: Readonly<Record<string, (random: Random) => string>>, chance: number) {
  return Object.entries(from)
    .filter(([name]) => name === 'title' || random.chance(chance))
    .map(([name, generate]) => [name, name !== 'title' && random.chance(0.15) ? null : generate(random)] as const)
}

export function insertItem(random: Random, id = itemId(random)): Statement {
  const orgId = orgOrNone(random)
  const projectId = random.chance(0.3) ? random.below(PROJECTS) : null
  const values = [
    ['id', id],
    ['org_id', orgId],
    ['project_id', projectId === null ? null : String(projectId)],
    ...someValues(random, ITEM_VALUES, 0.5),
  ] as const
  const names = values.map(([name]) => quoteIdentifier(name)).join(', ')
  const places = values.map((_, index) => `$${index + 1}`).join(', ')
  return statement(
    `INSERT INTO public.item (${names}) VALUES (${places}) ON CONFLICT DO NOTHING`,
    ...values.map(([, value]) => value),
  )
}

export function updateItem(random: Random): Statement {
  const values = someValues(random, ITEM_VALUES, 0.12)
  const sets = values.map(([name], index) => `${quoteIdentifier(name)} = $${index + 2}`).join(', ')
  return statement(`UPDATE public.item SET ${sets} WHERE id = $1`, itemId(random), ...values.map(([, value]) => value))
}

/** Inserts thousands of rows in one statement, or changes or deletes many of them in one. */
export function bulk(random: Random, rows: number): Statement[] {
  const range = `id >= '${uuidOf(BULK_KIND, 0)}' AND id < '${uuidOf(BULK_KIND + 1, 0)}'`
  const orgId = org(random)
  return random.chance(0.5)
    ? [
        statement(
          `INSERT INTO public.item (id, org_id, title, body, small, words)
           SELECT ('${uuidOf(BULK_KIND, 0).slice(0, 24)}' || lpad(to_hex(n), 12, '0'))::uuid, $1::uuid, 'bulk ' || n, repeat(md5(n::text), 3), n, ARRAY[n::text, NULL]
           FROM generate_series($2::int, $2::int + $3::int) AS n ON CONFLICT DO NOTHING`,
          orgId,
          random.below(1000),
          rows,
        ),
      ]
    : random.pick([
        [statement(`UPDATE public.item SET small = small + 1 WHERE ${range}`)],
        [statement(`UPDATE public.item SET title = title || '!', org_id = $1 WHERE ${range} AND small % 3 = 0`, orgId)],
        [statement(`DELETE FROM public.item WHERE ${range} AND small % 2 = 0`)],
        [statement(`DELETE FROM public.item WHERE ${range}`)],
      ])
}
