import { evictDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { beginEpoch, follow, lsn, newClient, syncObject } from '../../testing/workerd/distribution.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { withDatabase } from '../database/index.ts'

const database = useTestDatabase(inject('servers').system)
beforeAll(() => {
  useDatabase(database.env)
})

const stored = (clients: readonly string[]) =>
  withDatabase(database.env, ({ query }) =>
    query(
      `SELECT client_id, version::text, migration, waiting::text, fault, xmin::text AS made FROM tidemark.client_status
       WHERE client_id IN (SELECT jsonb_array_elements_text($1::jsonb)) ORDER BY client_id`,
      [JSON.stringify(clients)],
    ),
  )

describe.each([
  ['', async () => {}],
  [' after eviction', async (name: string) => evictDurableObject(syncObject(name))],
] as const)('what clients say of their schema%s', (title, pause) => {
  const tag = title === '' ? 'a' : 'b'

  it(`MIG-10 MIG-R8 is stored once for all that said it, and again only where it is new${title}`, async () => {
    const epoch = `e10${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:m10${tag}`
    const clients = [newClient(), newClient()]
    const [first, second] = await Promise.all(
      clients.map((client) =>
        follow({ userId: 'u', audiences: [org] }, epoch, lsn(0), { client, migration: '0001.sql' }),
      ),
    )
    first?.send({ type: 'schema', version: 1, waiting: 0, fault: null })
    second?.send({ type: 'schema', version: 1, waiting: 2, fault: 'half of a character \ud800 and a NUL \0' })
    await pause(org)
    await expect.poll(() => stored(clients), { timeout: 60_000 }).toHaveLength(2)
    const [a, b] = await stored(clients)
    expect(a).toMatchObject({ version: '1', migration: '0001.sql', waiting: '0', fault: null })
    expect(b).toMatchObject({ version: '1', waiting: '2', fault: 'half of a character  and a NUL ' })
    first?.send({ type: 'schema', version: 1, waiting: 0, fault: null })
    second?.send({ type: 'schema', version: 2, waiting: 0, fault: null })
    await expect
      .poll(async () => (await stored(clients))[1], { timeout: 60_000 })
      .toMatchObject({ version: '2', fault: null })
    expect((await stored(clients))[0]).toEqual(a)
  })
})
