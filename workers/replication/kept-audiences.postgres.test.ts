import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { PATH_ROWS, sync as pathSync } from '../../testing/audiences/path-app.ts'
import { PATH_SCHEMA } from '../../testing/audiences/path-schema.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { Follower } from '../../testing/capture/follower.ts'

describe.each(captureCases.slice(0, 1))('capture of kept audiences, $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  let follower: Follower
  /** The changes of the app's rows since the last look: `operation table key audience`. */
  let seen = 0
  const told = async () => {
    await harness.drain()
    const all = (await harness.history()).filter(({ table }) => table.startsWith('public.'))
    const found = all
      .slice(seen)
      .map(({ operation, table, key, audience }) => `${operation} ${table.slice(7)} ${key?.id} ${audience}`)
    seen = all.length
    return found
  }
  beforeEach(async () => {
    harness = await startCapture(
      serverNamed(server),
      decoder,
      `${PATH_SCHEMA};--> statement-breakpoint\n${PATH_ROWS}`,
      pathSync,
    )
    follower = new Follower(harness)
    expect((await follower.catchUp()).wrong).toEqual([])
    seen = 0
    await told()
  })
  afterEach(() => harness.close())

  test('AUD-R2 FLD-145 a move and a condition are told as rows that leave and come, grandchildren in the same transaction', async () => {
    await harness.run(`UPDATE project SET org = 'b' WHERE id = 1`)
    expect((await told()).sort()).toEqual(
      ['comment 111', 'issue 11', 'project 1'].flatMap((row) => [`delete ${row} org:a`, `insert ${row} org:b`]).sort(),
    )
    expect(new Set((await harness.history()).slice(-6).map(({ lsn }) => lsn)).size).toBe(1)
    await harness.run(`UPDATE issue SET deleted_at = now() WHERE id = 21`)
    expect((await told()).filter((one) => !one.endsWith('null')).sort()).toEqual([
      'delete comment 211 org:b',
      'delete issue 21 org:b',
    ])
    await harness.run(`UPDATE issue SET deleted_at = NULL WHERE id = 21`)
    expect((await told()).filter((one) => !one.endsWith('null')).sort()).toEqual([
      'insert comment 211 org:b',
      'insert issue 21 org:b',
    ])
    expect((await follower.catchUp()).wrong).toEqual([])
  })

  test('AUD-R1 a table that was seen otherwise before is loaded anew, and is followed by its path from there on', async () => {
    const { project, issue, page, comment } = pathSync.tables
    const forAll = table(comment.table, { audience: 'all' })
    await harness.install('SELECT 1', defineSync({ tables: { project, issue, page, comment: forAll } }))
    expect(await follower.catchUp()).toEqual({ loaded: ['public.comment'], wrong: [] })
    await harness.run(`INSERT INTO comment VALUES (112, 11, 'for all')`)
    await harness.install('SELECT 1', pathSync)
    await harness.run(`INSERT INTO comment VALUES (113, 11, 'by path'); UPDATE project SET org = 'b' WHERE id = 1`)
    expect(await follower.catchUp()).toEqual({ loaded: ['public.comment'], wrong: [] })
    expect(await harness.query(`SELECT id::text FROM comment WHERE tidemark_audience = 'b' ORDER BY id`)).toEqual(
      ['111', '112', '113', '211'].map((id) => ({ id })),
    )
  })

  test.each([
    [
      'a disabled trigger',
      'ALTER TABLE comment DISABLE TRIGGER "~tidemark_audience"',
      /public\.comment no longer keeps/,
    ],
    [
      'one that acts for most alone',
      'ALTER TABLE comment ENABLE TRIGGER "~tidemark_audience"',
      /public\.comment no longer keeps/,
    ],
    ['a parent without its trigger', 'ALTER TABLE issue DISABLE TRIGGER USER', /public\.issue no longer (gives|keeps)/],
    [
      'a dropped key',
      'ALTER TABLE comment DROP CONSTRAINT tidemark_audience_key',
      /tidemark_audience_key is disabled or gone/,
    ],
  ])(
    'AUD-R5 FLD-147 %s halts capture as drift, and adopting makes it again and mends the rows',
    async (_, statement, said) => {
      await harness.run(statement)
      await harness.run(`INSERT INTO comment VALUES (112, 11, 'unkept'); UPDATE project SET org = 'c' WHERE id = 1`)
      await expect(harness.cycle()).rejects.toMatchObject({
        kind: 'schema-drift',
        message: expect.stringMatching(said),
      })
      harness.nowMs += harness.settings.driftWaitMs + 1
      await expect
        .poll(
          async () =>
            await harness.cycle().then(
              () => 'on',
              () => 'halted',
            ),
        )
        .toBe('on')
      expect((await follower.catchUp()).wrong).toEqual([])
      expect(
        await harness.query(
          `SELECT id::text, tidemark_audience AS audience FROM comment WHERE id IN (111, 112) ORDER BY id`,
        ),
      ).toEqual([
        { id: '111', audience: 'c' },
        { id: '112', audience: 'c' },
      ])
    },
  )

  test('AUD-R5 FLD-147 what was written meanwhile is mended too where the trigger was enabled again by hand', async () => {
    await harness.run('ALTER TABLE comment DISABLE TRIGGER "~tidemark_audience"')
    await harness.run(`INSERT INTO comment VALUES (112, 11, 'unkept')`)
    for (const _ of ['first', 'again'])
      await expect(harness.cycle()).rejects.toMatchObject({ message: expect.stringMatching(/or take the change back/) })
    await harness.run('ALTER TABLE comment ENABLE ALWAYS TRIGGER "~tidemark_audience"')
    expect((await follower.catchUp()).wrong).toEqual([])
    expect(await harness.query(`SELECT tidemark_audience AS audience FROM comment WHERE id = 112`)).toEqual([
      { audience: 'a' },
    ])
  })
})
