import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { expect, test } from 'vitest'
import { adoptDefinition } from '../../db/definition/adopt-definition.ts'
import { applyBetween } from '../../db/definition/apply-between.ts'
import { findDrift } from '../../db/definition/find-drift.ts'
import { applyDefinition, defineSync, table } from '../../db/index.ts'
import { parsePgLsn } from '../../protocol/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { startCapture } from '../../testing/capture/capture-harness.ts'
import { recordMutation } from '../../testing/capture/record-mutation.ts'
import { readMutationHistory } from '../history/mutation-history.ts'
import { readRowAt } from '../history/row-at.ts'
import { findTable } from '../history/row-history.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const person = pgTable('person', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const byOrg = (column: typeof item.org | typeof person.org) => ({ audience: { column, prefix: 'org' } })
const syncWith = (history: 'all' | 'keys') =>
  defineSync({
    tables: { item: table(item, byOrg(item.org)), person: table(person, { ...byOrg(person.org), history }) },
  })
const SCHEMA = `
  CREATE TABLE item (id int PRIMARY KEY, org text, note text)
  --> statement-breakpoint
  CREATE TABLE person (id int PRIMARY KEY, org text, note text)`

const fail = (): never => {
  throw new Error('No definition is in force.')
}

test.each(captureCases)(
  'FLD-310 OPS-R20 $decoder on $server: of a table that says so no former value is kept, from its place in the log on',
  async ({ decoder, server }) => {
    const harness = await startCapture(serverNamed(server), decoder, SCHEMA, syncWith('keys'))
    try {
      const write = async (name: string, id: number) => {
        await harness.run(
          `INSERT INTO ${name} VALUES (${id}, 'a', 'first');\nUPDATE ${name} SET note = 'second' WHERE id = ${id};\nUPDATE ${name} SET org = 'b' WHERE id = ${id};\nDELETE FROM ${name} WHERE id = ${id}`,
        )
        await harness.drain()
      }
      const rowsOf = async (name: string, id: number) =>
        (await harness.history())
          .filter(({ table: of, key }) => of === `public.${name}` && key?.id === String(id))
          .map(({ operation, data, oldData, audience }) => ({ operation, data, oldData, audience }))
      await write('person', 1)
      await write('item', 1)
      const kept = await rowsOf('item', 1)
      expect(kept.map(({ oldData }) => oldData?.note ?? null)).toEqual([null, 'first', 'second', null, 'second'])
      // What replicas are told is the same; only what was is not there.
      expect(await rowsOf('person', 1)).toEqual(kept.map((row) => ({ ...row, oldData: null })))

      const connection = await harness.database.open()
      const before = await harness.query('SELECT max(version)::text AS version FROM tidemark.sync_definition')
      const again = await connection.transaction(({ query }) => applyDefinition(query, syncWith('keys')))
      expect(again.changed).toBe(false)
      const applied = await connection.transaction(({ query }) => applyDefinition(query, syncWith('all')))
      await connection.close()
      expect([applied.changed, applied.hash, applied.version]).toEqual([
        true,
        again.hash,
        Number(before[0]?.version) + 1,
      ])
      await write('person', 2)
      await write('item', 2)
      const now = await rowsOf('person', 2)
      expect(now).toEqual(await rowsOf('item', 2))
      expect(now.map(({ oldData }) => oldData?.note ?? null)).toEqual([null, 'first', 'second', null, 'second'])
    } finally {
      await harness.close()
    }
  },
)

test('FLD-310 OPS-R20 HST-R3 HST-R9 such a row is told as it was from its insertion on, and what it was before is refused', async () => {
  const harness = await startCapture(
    serverNamed('embedded'),
    'pgoutput',
    `${SCHEMA};\n--> statement-breakpoint\nINSERT INTO person VALUES (2, 'a', 'old')`,
    syncWith('keys'),
  )
  try {
    await harness.run(`INSERT INTO person VALUES (1, 'a', 'first');\nUPDATE person SET note = 'later' WHERE id = 2`)
    await harness.drain()
    const place = { lsn: parsePgLsn((await harness.history()).at(-1)?.lsn ?? '') }
    const client = 'client-of-ann-000001'
    await harness.query('INSERT INTO tidemark.client (id, user_id) VALUES ($1, $2)', [client, 'ann'])
    const mutation = ['BEGIN', recordMutation({ client, counter: 1 }), `UPDATE person SET note = 'last'`, 'COMMIT']
    await harness.run(mutation.join(';\n'))
    await harness.drain()
    const reader = { userId: 'ann', audiences: ['org:a'], claims: {} }
    const persons = await findTable(harness.connection.query, 'public.person')
    const rowAt = (id: string) =>
      readRowAt(harness.connection, reader, { table: persons, key: { id } }, place, () => harness.drain())
    expect((await rowAt('1')).row).toMatchObject({ id: '1', note: 'first' })
    // It was there before history, and what it held then is told nowhere.
    await expect(rowAt('2')).rejects.toMatchObject({ kind: 'bad-input', message: expect.stringContaining("'keys'") })
    const { changes } = await readMutationHistory(harness.connection, reader, `${client}:1`)
    const untold = { operation: 'update', data: { note: 'last' }, before: null, untold: ['note'] }
    expect(changes).toMatchObject([untold, untold])
  } finally {
    await harness.close()
  }
})

test('FLD-311 OPS-R20 within a run of migrations, and where a table is taken over, a table stays without former values', async () => {
  const harness = await startCapture(serverNamed('embedded'), 'pgoutput', SCHEMA, syncWith('all'))
  const connection = await harness.database.open()
  try {
    const between = async (history: 'all' | 'keys') =>
      (await connection.transaction(({ query }) => applyBetween(query, syncWith(history), {})))?.applied.keysOnly
    expect(await between('all')).toBeUndefined()
    expect(await between('keys')).toEqual(['public.person'])
    // What is to be kept again is, from the last migration on.
    expect(await between('all')).toEqual(['public.person'])
    await connection.query('ALTER TABLE public.person RENAME TO member')
    const member = pgTable('member', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
    const renamed = defineSync({
      tables: {
        item: table(item, byOrg(item.org)),
        member: table(member, { audience: { column: member.org, prefix: 'org' } }),
      },
    })
    const found = await connection.transaction(({ query }) => applyBetween(query, renamed, {}))
    const applied = found?.applied ?? fail()
    expect(applied.keysOnly).toEqual(['public.member'])
    await connection.query('ALTER TABLE public.member ALTER COLUMN note TYPE varchar(90)')
    const drifts = await findDrift(connection.query, applied)
    const adopted = await connection.transaction(({ query }) => adoptDefinition(query, drifts))
    expect([adopted.changed, adopted.keysOnly]).toEqual([true, ['public.member']])
  } finally {
    await connection.close()
    await harness.close()
  }
})
