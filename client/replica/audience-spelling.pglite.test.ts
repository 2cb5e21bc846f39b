import { expect, test } from 'vitest'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { at, batch } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

// Values as the type's output prints them; a cast to text has another spelling for the first three.
test.each([
  ['character(8)', 'ACME    ', 'OTHER   '],
  ['boolean', 't', 'f'],
  ['inet', '10.0.0.1', '10.0.0.2'],
  ['numeric(6,2)', '5.00', '6.00'],
  ['timestamp with time zone', '2026-01-02 03:04:05+00', '2026-01-02 03:04:06+00'],
  ['double precision', '0.1', '0.2'],
])(
  'FLD-46 APP-R11 rows leave with the right, are cleared and weighed, whatever the type of the audience: %s',
  async (type, one, two) => {
    const [gone, kept] = [`of:${one}`, `of:${two}`]
    const tables = [
      defineTable('doc', [column('id'), column('org', type), column('title')], {
        audience: { column: 'org', prefix: 'of' },
      }),
    ]
    const load = (id: string, org: string) => ({
      start: at(0x100),
      fence: at(0x120),
      snapshot: '10:10:',
      rows: { 'public.doc': [{ id, org, title: 'x' }] },
    })
    const { server, url } = await serve({ types: [], tables }, { [gone]: load('a', one), [kept]: load('b', two) })
    const replica = await start(url)
    const session = await server.session(0)
    await session.frame('stream')
    // In the window of both snapshots a row is looked up with its audience.
    session.send(
      batch(at(0x100), at(0x120), [
        {
          lsn: at(0x110),
          xid: '12',
          changes: [{ o: 'u', t: 'public.doc', a: gone, k: { id: 'a' }, d: { title: 'y' } }],
        },
      ]),
    )
    await replica.ready
    expect(await rowsOf(replica, 'doc', 'id, title')).toEqual([
      { id: 'a', title: 'y' },
      { id: 'b', title: 'x' },
    ])
    session.send({ type: 'audiences', audiences: [kept] })
    await statusThat(replica, (status) => !status.audiences.includes(gone))
    expect(await rowsOf(replica, 'doc', 'id')).toEqual([{ id: 'b' }])
  },
)
