import { boolean, char, inet, integer, numeric, pgTable, text } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { beginEpoch, headOf, LineCollector } from '../../testing/snapshot/snapshot-fixture.ts'
import { readSnapshot } from './read-snapshot.ts'

const id = integer('id').primaryKey()
const invoice = pgTable('invoice', { id, tenant: char('tenant', { length: 8 }) })
const notice = pgTable('notice', { id, internal: boolean('internal') })
const host = pgTable('host', { id, address: inet('address') })
const price = pgTable('price', { id, amount: numeric('amount', { precision: 6, scale: 2 }) })
const label = pgTable('label', { id, tenant: text('tenant') })
const sync = defineSync({
  tables: {
    invoice: table(invoice, { audience: { column: invoice.tenant, prefix: 'tenant' } }),
    label: table(label, { audience: { column: label.tenant, prefix: 'tenant' } }),
    notice: table(notice, { audience: { column: notice.internal, prefix: 'internal' } }),
    host: table(host, { audience: { column: host.address, prefix: 'host' } }),
    price: table(price, { audience: { column: price.amount, prefix: 'price' } }),
  },
})
const SCHEMA = `
  CREATE TABLE invoice (id int PRIMARY KEY, tenant char(8)); CREATE TABLE label (id int PRIMARY KEY, tenant text);
  CREATE TABLE notice (id int PRIMARY KEY, internal boolean); CREATE TABLE host (id int PRIMARY KEY, address inet);
  CREATE TABLE price (id int PRIMARY KEY, amount numeric(6, 2));
  INSERT INTO invoice VALUES (1, 'ACME'); INSERT INTO label VALUES (1, 'ACME'); INSERT INTO notice VALUES (1, true);
  INSERT INTO host VALUES (1, '10.0.0.1'); INSERT INTO price VALUES (1, 5)`

describe.each(['embedded', 'system'] as const)('the spelling of an audience on the %s server', (server) => {
  const own = useTestDatabase(servers()[server])
  const database = useConnection(own)
  beforeAll(async () => {
    await own.run(SCHEMA.replaceAll(';', ';--> statement-breakpoint\n'))
    await own.install('SELECT 1', sync)
    await beginEpoch(database.query, 'spelling')
  })

  test.each([
    ['tenant:ACME    ', 'public.invoice', 'tenant:ACME', ['invoice']],
    ['internal:t', 'public.notice', 'internal:true', ['notice']],
    ['host:10.0.0.1', 'public.host', 'host:10.0.0.1/32', ['host']],
    ['price:5.00', 'public.price', 'price:5', ['price']],
    ['price:5.00', 'public.price', 'price:much', ['price']],
  ])(
    'FLD-47 SNP-R1 %s has rows of %s; granted as %s it has none, and operators are told',
    async (audience, of, other, told) => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
      onTestFinished(() => warn.mockRestore())
      const load = async (name: string) => {
        const collected = new LineCollector()
        headOf(await readSnapshot(database, name, collected))
        return collected.of(of)
      }
      expect(await load(audience)).toHaveLength(1)
      expect(warn).not.toHaveBeenCalled()
      expect(await load(other)).toHaveLength(0)
      const lines = warn.mock.calls.flat().join('\n')
      expect(lines).toContain(`of ${of} `)
      expect(warn).toHaveBeenCalledTimes(told.length)
      expect(lines).not.toContain(other)
    },
  )
})
