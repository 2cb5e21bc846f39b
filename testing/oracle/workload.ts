import { quoteIdentifier } from '../../protocol/index.ts'
import type { Random } from './random.ts'
import { anyJson, anyText, anyWords, ITEM_VALUES, MEASURE_VALUES, uuidOf } from './values.ts'

/** Audiences of the app: organisations and users by number; a row may also belong to none. */
export const ORGS = [1, 2, 3, 4].map((number) => uuidOf(0x0a, number))
export const USERS = ['ann', 'bob', 'cy'] as const

export interface Statement {
  readonly text: string
  readonly params: readonly (string | null)[]
}

/** One transaction as planned; the server decides too whether it commits. */
export interface PlannedTransaction {
  readonly index: number
  readonly statements: readonly Statement[]
  readonly end: 'commit' | 'rollback'
}

const ITEMS = 120
const PROJECTS = 6
const NOTES = 60
const SETTINGS = 8
const BULK_KIND = 0xb0

const statement = (text: string, ...params: (string | number | null)[]): Statement => ({
  text,
  params: params.map((value) => (value === null ? null : String(value))),
})

const itemId = (random: Random) => uuidOf(0x17, random.below(ITEMS))
const org = (random: Random) => random.pick(ORGS)
const orgOrNone = (random: Random) => (random.chance(0.1) ? null : org(random))
const userOrNone = (random: Random) => (random.chance(0.1) ? null : random.pick(USERS))

/** Makes values for some of the columns, NULL now and then. */
function someValues(random: Random, from: Readonly<Record<string, (random: Random) => string>>, chance: number) {
  return Object.entries(from)
    .filter(([name]) => name === 'title' || random.chance(chance))
    .map(([name, generate]) => [name, name !== 'title' && random.chance(0.15) ? null : generate(random)] as const)
}

function insertItem(random: Random, id = itemId(random)): Statement {
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

function updateItem(random: Random): Statement {
  const values = someValues(random, ITEM_VALUES, 0.12)
  const sets = values.map(([name], index) => `${quoteIdentifier(name)} = $${index + 2}`).join(', ')
  return statement(`UPDATE public.item SET ${sets} WHERE id = $1`, itemId(random), ...values.map(([, value]) => value))
}

/** Every kind of statement with how often it comes; each is valid in any state of the database, or fails cleanly. */
const KINDS: Readonly<Record<string, { weight: number; make: (random: Random) => Statement[] }>> = {
  insertItem: { weight: 14, make: (random) => [insertItem(random)] },
  updateItem: { weight: 14, make: (random) => [updateItem(random)] },
  updateItemToNull: {
    weight: 3,
    make: (random) => [
      statement(
        'UPDATE public.item SET body = NULL, doc = NULL, small = NULL, words = NULL WHERE id = $1',
        itemId(random),
      ),
    ],
  },
  updateNothing: {
    weight: 2,
    make: (random) => [statement('UPDATE public.item SET title = title, body = body WHERE id = $1', itemId(random))],
  },
  updateHiddenOnly: {
    weight: 2,
    make: (random) => [statement('UPDATE public.item SET secret = $2 WHERE id = $1', itemId(random), anyText(random))],
  },
  deleteItem: { weight: 6, make: (random) => [statement('DELETE FROM public.item WHERE id = $1', itemId(random))] },
  moveItem: {
    weight: 5,
    make: (random) => [
      statement(
        'UPDATE public.item SET org_id = $2, project_id = NULL WHERE id = $1',
        itemId(random),
        orgOrNone(random),
      ),
    ],
  },
  moveItemAndChange: {
    weight: 2,
    make: (random) => [
      statement(
        'UPDATE public.item SET org_id = $2, project_id = NULL, title = $3 WHERE id = $1',
        itemId(random),
        orgOrNone(random),
        anyText(random),
      ),
    ],
  },
  moveManyItems: {
    weight: 1,
    make: (random) => [
      statement(
        `UPDATE public.item SET org_id = $2, project_id = NULL WHERE org_id = $1 AND id < '${uuidOf(0x18, 0)}'`,
        org(random),
        orgOrNone(random),
      ),
    ],
  },
  renameItem: {
    weight: 4,
    make: (random) => [statement('UPDATE public.item SET id = $2 WHERE id = $1', itemId(random), itemId(random))],
  },
  renameAndMoveItem: {
    weight: 2,
    make: (random) => [
      statement(
        'UPDATE public.item SET id = $2, org_id = $3, project_id = NULL WHERE id = $1',
        itemId(random),
        itemId(random),
        orgOrNone(random),
      ),
    ],
  },
  swapItemKeys: {
    weight: 2,
    make: (random) => {
      const [one, other, spare] = [itemId(random), itemId(random), uuidOf(0x19, random.below(9))]
      return [
        statement('UPDATE public.item SET id = $2 WHERE id = $1', one, spare),
        statement('UPDATE public.item SET id = $2 WHERE id = $1', other, one),
        statement('UPDATE public.item SET id = $2 WHERE id = $1', spare, other),
      ]
    },
  },
  deleteAndReinsert: {
    weight: 3,
    make: (random) => {
      const id = itemId(random)
      return [statement('DELETE FROM public.item WHERE id = $1', id), insertItem(random, id)]
    },
  },
  insertAndDelete: {
    weight: 2,
    make: (random) => {
      const id = itemId(random)
      return [insertItem(random, id), statement('DELETE FROM public.item WHERE id = $1', id)]
    },
  },
  upsertProject: {
    weight: 6,
    make: (random) => [
      statement(
        'INSERT INTO public.project (org_id, id, name, slug) VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, id) DO UPDATE SET name = excluded.name',
        org(random),
        random.below(PROJECTS),
        anyWords(random, 4),
        random.chance(0.5) ? random.pick(['a', 'b', 'c']) : null,
      ),
    ],
  },
  swapSlugs: {
    weight: 2,
    make: (random) => {
      const orgId = org(random)
      return [
        statement('SET CONSTRAINTS ALL DEFERRED'),
        statement(
          "UPDATE public.project SET slug = CASE slug WHEN 'a' THEN 'b' WHEN 'b' THEN 'a' ELSE slug END WHERE org_id = $1",
          orgId,
        ),
      ]
    },
  },
  parentProject: {
    weight: 2,
    make: (random) => [
      statement(
        'UPDATE public.project SET parent = $3 WHERE org_id = $1 AND id = $2',
        org(random),
        random.below(PROJECTS),
        random.below(PROJECTS),
      ),
    ],
  },
  renumberProject: {
    weight: 2,
    make: (random) => [
      statement(
        'UPDATE public.project SET id = $3 WHERE org_id = $1 AND id = $2',
        org(random),
        random.below(PROJECTS),
        random.below(PROJECTS),
      ),
    ],
  },
  deleteProject: {
    weight: 2,
    make: (random) => [
      statement('DELETE FROM public.project WHERE org_id = $1 AND id = $2', org(random), random.below(PROJECTS)),
    ],
  },
  insertNote: {
    weight: 8,
    make: (random) => [
      statement(
        'INSERT INTO public.note (id, user_id, item_id, body, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
        `90071992547409930${String(random.below(NOTES)).padStart(2, '0')}`,
        userOrNone(random),
        random.chance(0.5) ? itemId(random) : null,
        anyText(random),
        random.chance(0.5) ? '2026-11-20 10:00:00.000001+02' : null,
      ),
    ],
  },
  moveNotes: {
    weight: 3,
    make: (random) => [
      statement('UPDATE public.note SET user_id = $1 WHERE id % 7 = $2', userOrNone(random), random.below(7)),
    ],
  },
  deleteNotes: {
    weight: 2,
    make: (random) => [statement('DELETE FROM public.note WHERE id % 11 = $1', random.below(11))],
  },
  truncateNotes: { weight: 0.6, make: () => [statement('TRUNCATE public.note')] },
  truncateProjects: { weight: 0.15, make: () => [statement('TRUNCATE public.project CASCADE')] },
  upsertSetting: {
    weight: 8,
    make: (random) => [
      statement(
        'INSERT INTO public.setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = setting.version + 1',
        `k${random.below(SETTINGS)}`,
        random.chance(0.2) ? null : anyJson(random),
      ),
    ],
  },
  deleteSetting: {
    weight: 1,
    make: (random) => [statement('DELETE FROM public.setting WHERE key = $1', `k${random.below(SETTINGS)}`)],
  },
  order: {
    weight: 5,
    make: (random) => [
      statement(
        'INSERT INTO "Mixed Case"."Order" ("select", "Größe ""x""", "org.id", "table") VALUES ($1, $2, $3, $4) ON CONFLICT ("Größe ""x""", "select") DO UPDATE SET "org.id" = excluded."org.id", "table" = excluded."table"',
        random.pick(['', 'A', 'b\'"', '\\', 'ω\n']),
        random.below(5),
        orgOrNone(random),
        random.chance(0.2) ? null : anyText(random),
      ),
    ],
  },
  deleteOrder: {
    weight: 1,
    make: (random) => [statement('DELETE FROM "Mixed Case"."Order" WHERE "Größe ""x""" = $1', random.below(5))],
  },
  renameOrg: {
    weight: 2,
    make: (random) => [
      statement(
        'INSERT INTO public.org (id, name, settings) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = excluded.name, settings = excluded.settings',
        org(random),
        anyText(random),
        anyJson(random),
      ),
    ],
  },
  deleteOrg: { weight: 0.2, make: (random) => [statement('DELETE FROM public.org WHERE id = $1', org(random))] },
  unsynced: {
    weight: 2,
    make: (random) => [statement('INSERT INTO public.unsynced_log (line) VALUES ($1)', anyText(random))],
  },
  message: {
    weight: 1,
    make: (random) => [
      statement(`SELECT pg_logical_emit_message(${random.chance(0.5)}, 'oracle', $1::text)`, anyText(random)),
    ],
  },
  pause: { weight: 3, make: (random) => [statement('SELECT pg_sleep($1::float8 / 1000)', 5 + random.below(80))] },
}

const MEASURE_KINDS: typeof KINDS = {
  upsertMeasure: {
    weight: 10,
    make: (random) => {
      const values = Object.values(MEASURE_VALUES).map((generate) => (random.chance(0.2) ? null : generate(random)))
      return [
        statement(
          'INSERT INTO public.measure (id, org_id, plain, money_like, narrow, wide, series) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET org_id = excluded.org_id, plain = excluded.plain, wide = excluded.wide, series = excluded.series',
          random.below(20),
          orgOrNone(random),
          ...values,
        ),
      ]
    },
  },
  deleteMeasure: {
    weight: 1,
    make: (random) => [statement('DELETE FROM public.measure WHERE id = $1', random.below(20))],
  },
}

/** Inserts thousands of rows in one statement, or changes or deletes many of them in one. */
function bulk(random: Random, rows: number): Statement[] {
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

export interface WorkloadOptions {
  readonly transactions: number
  /** Rows of the largest transactions. */
  readonly bulkRows: number
  /** True where the table of numeric and float columns is synced. */
  readonly numbers: boolean
}

/** Plans transactions from the seed alone, never from what the database answers: the same seed, the same plan (ORA-02). */
export function planWorkload(random: Random, options: WorkloadOptions): PlannedTransaction[] {
  const kinds = options.numbers ? { ...KINDS, ...MEASURE_KINDS } : KINDS
  const weights = Object.fromEntries(Object.entries(kinds).map(([name, { weight }]) => [name, weight]))
  const bulkEvery = Math.max(12, Math.floor(options.transactions / 10))
  return Array.from({ length: options.transactions }, (_, index) => {
    const own = random.fork(String(index))
    if (index % bulkEvery === bulkEvery - 1) return { index, statements: bulk(own, options.bulkRows), end: 'commit' }
    const count = 1 + own.below(own.chance(0.1) ? 30 : 5)
    const statements: Statement[] = []
    for (let made = 0; made < count; made++) {
      const piece = (kinds[own.weighted(weights)] ?? KINDS.insertItem)?.make(own) ?? []
      if (!own.chance(0.1)) statements.push(...piece)
      else statements.push(statement('SAVEPOINT undone'), ...piece, statement('ROLLBACK TO SAVEPOINT undone'))
    }
    return { index, statements, end: own.chance(0.06) ? 'rollback' : 'commit' }
  })
}

/** Rows that exist before anything is captured, so that the first snapshot has something to show. */
export function seedStatements(random: Random): Statement[] {
  return [
    ...ORGS.map((id, index) => statement('INSERT INTO public.org (id, name) VALUES ($1, $2)', id, `Org ${index + 1}`)),
    ...Array.from({ length: 60 }, () => insertItem(random)),
    ...Array.from({ length: 30 }, () => KINDS.upsertProject?.make(random) ?? []).flat(),
    ...Array.from({ length: 20 }, () => KINDS.insertNote?.make(random) ?? []).flat(),
    ...Array.from({ length: 6 }, () => KINDS.upsertSetting?.make(random) ?? []).flat(),
  ]
}
