import type { Random } from './random.ts'
import { anyJson, anyText, anyWords, MEASURE_VALUES, uuidOf } from './values.ts'
import {
  FACES,
  insertItem,
  itemId,
  NOTES,
  org,
  orgOrNone,
  PROJECTS,
  REMARKS,
  SETTINGS,
  type Statement,
  statement,
  updateItem,
  userOrNone,
} from './workload-statements.ts'

/**
 * Every kind of statement with how often it comes; each is valid in any state of the database, or fails cleanly. It is one
 * table, and long as such.
 */
export const KINDS: Readonly<Record<string, { weight: number; make: (random: Random) => Statement[] }>> = {
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
  insertRemark: {
    weight: 9,
    make: (random) => [
      statement(
        'INSERT INTO public.remark (id, item_id, body, hushed) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
        random.below(REMARKS),
        random.chance(0.1) ? null : itemId(random),
        anyText(random),
        random.chance(0.2) ? 't' : null,
      ),
    ],
  },
  moveRemark: {
    weight: 4,
    make: (random) => [
      statement(
        'UPDATE public.remark SET item_id = $2, body = $3 WHERE id = $1',
        random.below(REMARKS),
        random.chance(0.1) ? null : itemId(random),
        anyText(random),
      ),
    ],
  },
  hushRemarks: {
    weight: 3,
    make: (random) => [
      statement('UPDATE public.remark SET hushed = NOT coalesce(hushed, false) WHERE id % 5 = $1', random.below(5)),
    ],
  },
  deleteRemarks: {
    weight: 1,
    make: (random) => [statement('DELETE FROM public.remark WHERE id % 13 = $1', random.below(13))],
  },
  upsertFace: {
    weight: 7,
    make: (random) => [
      statement(
        'INSERT INTO public.face (id, remark_id, kind) VALUES ($1, (SELECT id FROM public.remark WHERE id = $2), $3) ON CONFLICT (id) DO UPDATE SET remark_id = excluded.remark_id, kind = excluded.kind',
        random.below(FACES),
        random.below(REMARKS),
        random.pick(['smile', 'frown']),
      ),
    ],
  },
  stealAudience: {
    weight: 1,
    make: (random) => [
      statement(
        'UPDATE public.face SET tidemark_audience = NULL, kind = $2 WHERE id = $1',
        random.below(FACES),
        random.pick(['wink', 'none']),
      ),
    ],
  },
  truncateFaces: { weight: 0.3, make: () => [statement('TRUNCATE public.face')] },
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

/** As these, for the table of numeric and float columns. */
export const MEASURE_KINDS: typeof KINDS = {
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
