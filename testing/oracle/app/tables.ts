import { sql } from 'drizzle-orm'
import { customType, integer, pgSchema, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { type SyncTable, table } from '../../../db/index.ts'

/** The sync definition reads names alone; types come from the catalogue. */
const column = (name: string) => customType<{ data: string }>({ dataType: () => 'text' })(name)

const org = pgTable('org', { id: uuid('id'), name: text('name'), settings: column('settings') })

const project = pgTable('project', {
  orgId: uuid('org_id'),
  id: integer('id'),
  name: column('name'),
  slug: text('slug'),
  parent: integer('parent'),
})

const item = pgTable('item', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  projectId: integer('project_id'),
  title: text('title'),
  body: text('body'),
  tiny: column('tiny'),
  small: column('small'),
  big: column('big'),
  code: column('code'),
  fixed: column('fixed'),
  label: column('label'),
  flag: column('flag'),
  day: column('day'),
  clock: column('clock'),
  zonedClock: column('zoned_clock'),
  moment: column('moment'),
  instant: column('instant'),
  span: column('span'),
  doc: column('doc'),
  rawDoc: column('raw_doc'),
  bytes: column('bytes'),
  numbers: column('numbers'),
  words: column('words'),
  state: column('state'),
  states: column('states'),
  bounds: column('bounds'),
  period: column('period'),
  address: column('address'),
  network: column('network'),
  bits: column('bits'),
  place: column('place'),
  search: column('search'),
  sizeOfTitle: integer('size_of_title'),
})

const note = pgTable('note', {
  id: column('id'),
  userId: text('user_id'),
  itemId: uuid('item_id'),
  body: text('body'),
  at: column('at'),
})

const remark = pgTable('remark', {
  id: column('id'),
  itemId: uuid('item_id'),
  body: text('body'),
  hushed: column('hushed'),
})
const face = pgTable('face', { id: integer('id'), remarkId: column('remark_id'), kind: text('kind') })

const setting = pgTable('setting', { key: text('key'), value: column('value'), version: column('version') })

/** A run's second definition alone has this table with its new column, and syncs the one below. */
const remarkedSetting = pgTable('setting', {
  key: text('key'),
  value: column('value'),
  version: column('version'),
  remark: text('remark'),
})
const unsyncedLog = pgTable('unsynced_log', { id: column('id'), line: text('line') })

export const membership = pgTable('membership', { userId: text('user_id').notNull(), orgId: uuid('org_id').notNull() })

const order = pgSchema('Mixed Case').table('Order', {
  select: text('select'),
  size: integer('Größe "x"'),
  orgId: uuid('org.id'),
  table: text('table'),
})

const measure = pgTable('measure', {
  id: integer('id'),
  orgId: uuid('org_id'),
  plain: column('plain'),
  moneyLike: column('money_like'),
  narrow: column('narrow'),
  wide: column('wide'),
  series: column('series'),
})

export const tables: Record<string, SyncTable> = {
  org: table(org, { audience: { column: org.id, prefix: 'org' }, priority: 1 }),
  project: table(project, { audience: { column: project.orgId, prefix: 'org' }, priority: 2 }),
  item: table(item, { audience: { column: item.orgId, prefix: 'org' } }),
  note: table(note, { audience: { column: note.userId, prefix: 'user' } }),
  remark: table(remark, { audience: { via: remark.itemId, of: item }, when: sql`${remark.hushed} IS NOT TRUE` }),
  face: table(face, { audience: { via: face.remarkId, of: remark } }),
  setting: table(setting, { audience: 'all' }),
  order: table(order, { audience: { column: order.orgId, prefix: 'org' } }),
}

export const numberTables: Record<string, SyncTable> = {
  measure: table(measure, { audience: { column: measure.orgId, prefix: 'org' } }),
}

export const changedTables: Record<string, SyncTable> = {
  note: table(note, { audience: { column: note.userId, prefix: 'user' }, hidden: ['at'] }),
  setting: table(remarkedSetting, { audience: 'all' }),
  log: table(unsyncedLog, { audience: 'all' }),
}
