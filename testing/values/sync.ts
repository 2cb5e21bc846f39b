import { customType, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'
import { columnsOf, EXACT } from './every-type.ts'

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' })

const film = pgTable('film', {
  id: uuid('id').primaryKey(),
  orgId: text('org_id').notNull(),
  title: text('title').notNull(),
  slug: text('slug').notNull(),
  words: tsvector('words').notNull(),
  state: text('state').notNull(),
  number: integer('number').notNull(),
})

const part = pgTable('part', {
  id: uuid('id').primaryKey(),
  orgId: text('org_id').notNull(),
  code: text('code'),
  strict: text('strict').notNull(),
  made: text('made').notNull(),
  title: text('title'),
})

const page = pgTable('page', {
  id: uuid('id').primaryKey(),
  orgId: text('org_id').notNull(),
  body: text('body'),
  long: text('long'),
  words: tsvector('words'),
  low: text('low').notNull(),
  size: integer('size'),
})

const clip = pgTable('clip', {
  id: uuid('id').primaryKey(),
  orgId: text('org_id').notNull(),
  filmId: uuid('film_id').notNull(),
  note: text('note'),
})

/** Postgres has arrays of them: wal2json would lose NaN in a plain column. */
export const SAMPLED = [...EXACT, 'longs numeric[]', 'doubles float8[]']

const sample = pgTable('sample', {
  id: integer('id').primaryKey(),
  orgId: text('org_id').notNull(),
  ...columnsOf(SAMPLED),
})

/** Columns that the server alone can fill in: by triggers, by its domains, by its own functions, by its locale; and columns of every type. */
export const sync = defineSync({
  tables: {
    film: table(film, { audience: { column: film.orgId, prefix: 'org' }, write: 'all' }),
    clip: table(clip, { audience: { column: clip.orgId, prefix: 'org' }, write: 'all' }),
    page: table(page, { audience: { column: page.orgId, prefix: 'org' }, write: 'all' }),
    sample: table(sample, { audience: { column: sample.orgId, prefix: 'org' } }),
    part: table(part, { audience: { column: part.orgId, prefix: 'org' }, write: 'all' }),
  },
})
