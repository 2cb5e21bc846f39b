import { createBuilder, createSchema, defineQueries, defineQuery, number, string, table } from '@rocicorp/zero'

const item = table('item')
  .columns({ id: string(), grp: number(), title: string(), body: string(), seq: number() })
  .primaryKey('id')

export const schema = createSchema({ tables: [item] })
const zql = createBuilder(schema)
const anything = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } }

export const queries = defineQueries({
  all: defineQuery(() => zql.item),
  byGroup: defineQuery(anything, ({ args }) => zql.item.where('grp', args.grp)),
})
