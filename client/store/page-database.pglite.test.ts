import { PGlite, type Transaction } from '@electric-sql/pglite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DatabaseLink } from './database-link.ts'
import { PageDatabase } from './page-database.ts'
import type { FromDatabase, ToDatabase } from './page-messages.ts'
import { servePage } from './serve-page.ts'

/** A value that says itself how it is written, as the classes of number libraries do. */
class Decimal {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toString() {
    return this.text
  }
}

const { port1, port2 } = new MessageChannel()
let pglite: PGlite
let db: PageDatabase
let messages = 0

beforeAll(async () => {
  pglite = await PGlite.create()
  const serve = servePage(pglite, (message) => port2.postMessage(message))
  port2.onmessage = ({ data }: MessageEvent<ToDatabase>) => {
    if (data.type === 'call') void serve(data)
  }
  const link = new DatabaseLink((message) => {
    messages += 1
    port1.postMessage(message)
  })
  db = new PageDatabase(link, () => port1.close())
  port1.onmessage = ({ data }: MessageEvent<FromDatabase>) => {
    if (data.type === 'notification') db.receiveNotification(data.channel, data.payload)
    else link.receive(data)
  }
  await db.exec(`CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE item (id int PRIMARY KEY, price numeric, at timestamptz, doc jsonb, bytes bytea, tags text[], moods mood[])`)
  await db.refreshArrayTypes()
})

afterAll(async () => {
  port1.close()
  await pglite.close()
})

/** Answers by how many messages a page asked. */
async function countMessages(work: () => Promise<unknown>): Promise<number> {
  const before = messages
  await work()
  return messages - before
}

test('VAL-R12 values that cross have the same dates', async () => {
  const { rows } = await db.query(`SELECT '2026-12-01 10:00'::timestamp AS at, '0044-03-15 BC'::date AS day`)
  expect(rows).toEqual([{ at: new Date('2026-12-01T10:00:00Z'), day: new Date('-000043-03-15T00:00:00.000Z') }])
})

test('TAB-R15 a statement is one message, and a transaction of two statements is four', async () => {
  expect(await countMessages(() => db.query('SELECT $1::int', [1]))).toBe(1)
  expect(await countMessages(() => db.exec('SELECT 1; SELECT 2'))).toBe(1)
  const inTransaction = () =>
    db.transaction(async (tx) => {
      await tx.query('SELECT 1')
      await tx.sql`SELECT ${2}::int`
    })
  expect(await countMessages(inTransaction)).toBe(4)
})

test('TAB-R15 values of every kind come back as PGlite gives them', async () => {
  const at = new Date('2026-03-04T05:06:07.008Z')
  const params = [
    1,
    '1.50',
    at,
    { a: [1, null, 'ü'], big: 2n },
    new Uint8Array([0, 255]),
    ['a', 'b,c'],
    ['glad', 'sad'],
  ]
  await db.query('INSERT INTO item VALUES ($1, $2, $3, $4, $5, $6, $7)', params)
  const text = 'SELECT *, 9007199254740993::int8 AS large, true AS yes, NULL AS nothing FROM item WHERE id = $1'
  const here = await db.query(text, [1])
  expect(here).toEqual(await pglite.query(text, [1]))
  expect(here.rows[0]).toMatchObject({
    price: '1.50',
    at,
    doc: { a: [1, null, 'ü'], big: '2' },
    moods: ['glad', 'sad'],
  })
  expect((await db.query(text, [1], { rowMode: 'array' })).rows).toEqual(
    (await pglite.query(text, [1], { rowMode: 'array' })).rows,
  )
})

test('TAB-R15 a value that says itself how it is written is written here, in a transaction too', async () => {
  await db.query('UPDATE item SET price = $1 WHERE id = 1', [new Decimal('2.25')])
  const [before] = (await db.query<{ price: string }>('SELECT price FROM item')).rows
  expect(before?.price).toBe('2.25')
  const after = await db.transaction(async (tx) => {
    const own = { serializers: { 1700: (value: number) => value.toFixed(3), 17: () => '\\x07' } }
    const { rows } = await tx.query<{ price: string; bytes: Uint8Array }>(
      'UPDATE item SET price = $1, bytes = $2 RETURNING price, bytes',
      [3, new Decimal('seven')],
      own,
    )
    return rows[0]
  })
  expect(after).toEqual({ price: '3.000', bytes: new Uint8Array([7]) })
})

test('TAB-R15 options are functions of the page: parsers and notices', async () => {
  const notices: unknown[] = []
  const options = {
    parsers: { 23: (text: string) => `int ${text}` },
    onNotice: (notice: unknown) => notices.push(notice),
  }
  expect((await db.query('SELECT 1 AS one', [], options)).rows).toEqual([{ one: 'int 1' }])
  await db.exec(`DO $$ BEGIN RAISE NOTICE 'seen'; END $$; SELECT 1; SELECT 2`, options)
  expect(notices).toMatchObject([{ message: 'seen' }])
})

test('TAB-R15 what was called first is run first though nothing is awaited, also where a type must be asked for', async () => {
  await db.exec('CREATE TABLE step (nth serial, name text)')
  const insert = 'INSERT INTO step (name) VALUES ($1)'
  await Promise.all([
    db.query(insert, [new Decimal('one')]),
    db.exec(`INSERT INTO step (name) VALUES ('two')`),
    db.transaction(async (tx) => {
      const statements = [
        tx.query(insert, [new Decimal('three')]),
        tx.exec(`INSERT INTO step (name) VALUES ('four')`),
        tx.query(insert, [new Decimal('five')]),
      ]
      // It ends, and is committed, behind what was asked in it.
      void Promise.allSettled(statements)
    }),
    db.query(insert, [new Decimal('six')]),
    db.runExclusive(async () => undefined),
    db.query(insert, ['seven']),
  ])
  const { rows } = await db.query<{ name: string }>('SELECT name FROM step ORDER BY nth')
  expect(rows.map(({ name }) => name)).toEqual(['one', 'two', 'three', 'four', 'five', 'six', 'seven'])
})

test('TAB-R15 what a transaction asks does not wait for what waits outside for its end', async () => {
  let outside: Promise<unknown> = Promise.resolve()
  await db.transaction(async (tx) => {
    outside = db.query('SELECT $1::numeric', [new Decimal('1')])
    await tx.query('SELECT $1::numeric', [new Decimal('2')])
  })
  await outside
})

test('TAB-R15 notices of a statement that fails come too', async () => {
  const notices: { readonly message?: string }[] = []
  const onNotice = (notice: object) => void notices.push(notice)
  const failing = `DO $$ BEGIN RAISE NOTICE 'before'; RAISE EXCEPTION 'no'; END $$`
  await expect(db.exec(failing, { onNotice })).rejects.toMatchObject({ message: 'no' })
  await expect(db.query(failing, [], { onNotice })).rejects.toMatchObject({ message: 'no' })
  expect(notices.map(({ message }) => message)).toEqual(['before', 'before'])
})

test('TAB-R15 the files of the database are read after what was called before, and not in the midst of a transaction', async () => {
  await db.exec('CREATE TABLE filed (what text)')
  const ended: string[] = []
  const insert = 'INSERT INTO filed VALUES ($1)'
  const transaction = async (tx: Transaction) => {
    for (let turn = 0; turn < 5; turn++) await tx.query(insert, [new Decimal(`${turn}`)])
  }
  await Promise.all([
    db.transaction(transaction).then(() => ended.push('transaction')),
    db.query(insert, [new Decimal('last')]).then(() => ended.push('write')),
    db.dumpDataDir('none').then(() => ended.push('files')),
  ])
  expect(ended).toEqual(['transaction', 'write', 'files'])
})

test('TAB-R15 a LISTEN that fails leaves no listener', async () => {
  const heard: string[] = []
  await db
    .transaction(async (tx) => {
      await tx.exec('SELECT 1 / 0').catch(() => undefined)
      await expect(tx.listen('later', () => heard.push('failed'))).rejects.toMatchObject({ code: '25P02' })
    })
    .catch(() => undefined)
  const stop = await db.listen('later', () => heard.push('later'))
  await db.exec('NOTIFY later')
  await stop()
  expect(heard).toEqual(['later'])
})

test('TAB-R15 errors keep SQLSTATE, fields and statement; in a transaction they leave it to the app', async () => {
  const failing = db.query('INSERT INTO item (id) VALUES ($1)', [1])
  await expect(failing).rejects.toMatchObject({ code: '23505', constraint: 'item_pkey', params: [1] })
  const seen = await db.transaction(async (tx) => {
    await tx.exec('SAVEPOINT one')
    const code = await tx.exec('SELECT 1 / 0').catch((error) => error.code)
    await tx.exec('ROLLBACK TO one')
    return code
  })
  expect(seen).toBe('22012')
})

test('TAB-R15 a transaction ends as its function does, and none is used after its end', async () => {
  const count = async () => (await db.query<{ n: number }>('SELECT count(*)::int AS n FROM item')).rows[0]?.n
  const ids = await count()
  const thrown = new Error('no')
  const throwing = db.transaction(async (tx) => {
    await tx.exec('INSERT INTO item (id) VALUES (50)')
    throw thrown
  })
  await expect(throwing).rejects.toBe(thrown)
  await db.transaction(async (tx) => {
    await tx.exec('INSERT INTO item (id) VALUES (51)')
    await tx.rollback()
    expect(tx.closed).toBe(true)
  })
  const aborted = db.transaction(async (tx) => {
    await tx.exec('SELECT 1 / 0').catch(() => undefined)
  })
  await expect(aborted).rejects.toMatchObject({ code: '25P02' })
  expect(await count()).toBe(ids)
  let kept: { exec(text: string): Promise<unknown> } | null = null
  await db.transaction(async (tx) => {
    kept = tx
    await tx.exec('INSERT INTO item (id) VALUES (52)')
  })
  expect(await count()).toBe((ids ?? 0) + 1)
  await expect((kept as unknown as PageDatabase).exec('SELECT 1')).rejects.toThrow('Transaction is closed')
})

test('TAB-R15 nobody else’s statement runs inside a transaction, or while one holds the database', async () => {
  const order: string[] = []
  const first = db.transaction(async (tx) => {
    await tx.query('SELECT 1')
    await tx.query('SELECT 2')
    order.push('transaction')
  })
  const second = db.query('SELECT 3').then(() => order.push('query'))
  await Promise.all([first, second])
  expect(order).toEqual(['transaction', 'query'])
  const held = db.runExclusive(async () => {
    await new Promise((resolve) => setTimeout(resolve))
    order.push('held')
  })
  await Promise.all([held, db.query('SELECT 4').then(() => order.push('after'))])
  expect(order.slice(2)).toEqual(['held', 'after'])
})

test('TAB-R15 what a commit notifies of comes before its answer', async () => {
  const seen: string[] = []
  const stop = await db.listen('Told', (payload) => seen.push(payload))
  await db.transaction((tx) => tx.exec(`SELECT pg_notify('told', 'one')`))
  expect(seen).toEqual(['one'])
  await stop()
  await db.exec(`SELECT pg_notify('told', 'two')`)
  expect(seen).toEqual(['one'])
})

test('TAB-R15 queries are described, and COPY takes a blob of the page', async () => {
  const { queryParams, resultFields } = await db.describeQuery('SELECT $1::int8 AS big')
  expect(queryParams.map(({ dataTypeID }) => dataTypeID)).toEqual([20])
  expect(resultFields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([['big', 20]])
  await db.query(`COPY item (id) FROM '/dev/blob'`, [], { blob: new Blob(['70\n71\n']) })
  expect((await db.query('SELECT id FROM item WHERE id >= 70 ORDER BY id')).rows).toEqual([{ id: 70 }, { id: 71 }])
})

test('TAB-R15 a closed database refuses, and so ends what still waits', async () => {
  const waiting = db.query('SELECT pg_sleep(0.01)')
  await db.close()
  await expect(waiting).rejects.toThrow('PGlite is closed')
  await expect(db.exec('SELECT 1')).rejects.toThrow('PGlite is closed')
  expect(db.closed).toBe(true)
})
