import { char, integer, pgTable } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

const branches = pgTable('pgbench_branches', {
  bid: integer('bid'),
  balance: integer('bbalance'),
  filler: char('filler', { length: 88 }),
})
const tellers = pgTable('pgbench_tellers', {
  tid: integer('tid'),
  bid: integer('bid'),
  balance: integer('tbalance'),
  filler: char('filler', { length: 84 }),
})
const accounts = pgTable('pgbench_accounts', {
  aid: integer('aid'),
  bid: integer('bid'),
  balance: integer('abalance'),
  filler: char('filler', { length: 84 }),
})

export const sync = defineSync({
  tables: {
    branches: table(branches, { audience: 'all' }),
    tellers: table(tellers, { audience: 'all' }),
    accounts: table(accounts, { audience: 'all' }),
  },
})
