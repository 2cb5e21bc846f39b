import { expect, test } from 'vitest'
import { FOLDERS } from '../../testing/replica/definitions.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'
import { closeAfterEach, serve } from '../../testing/replica/serve.ts'
import { createHttp } from '../connection/http.ts'
import type { Copy } from '../store/copies.ts'
import { Drain } from './drain.ts'
import { OutgoingMutations } from './outgoing-mutations.ts'

closeAfterEach()

test('FLD-20 OBX-R6 asked what to send while no copy is shown the outbox is asked once, and sends when one is', async () => {
  const { server, url } = await serve(FOLDERS, {})
  const replica = await LocalReplica.open(FOLDERS)
  const { db, outbox } = replica
  await outbox.runTransaction((tx) => tx.query(`INSERT INTO folder (id, org, name) VALUES ('1', 'a', 'mine')`))
  let shown: Copy | null = null
  const outgoing = new OutgoingMutations({
    db,
    outbox,
    shown: () => shown,
    leases: { leaseFor: async () => false },
    history: { noteWrites: () => undefined, forgetFailed: () => undefined },
    journal: null,
    onSquashed: () => undefined,
    whileRemaking: async () => undefined,
  })
  let asked = 0
  const host = {
    freezeNext: () => {
      asked += 1
      return outgoing.freezeNext()
    },
    receiveOutcomes: outgoing.receiveOutcomes.bind(outgoing),
    reportPushError: () => undefined,
  }
  const drain = new Drain({ http: createHttp(url, async () => 'token'), client: 'client-of-this-test', host })
  for (const event of [{ type: 'online' }, { type: 'written', urgency: 'now' }, { type: 'pull-overdue' }] as const) {
    drain.dispatch(event)
  }
  await expect.poll(() => drain.state.phase).toBe('held')
  expect(asked).toBe(1)
  shown = replica.copy
  drain.dispatch({ type: 'shown' })
  drain.dispatch({ type: 'live', isNew: true })
  expect(await server.push(0)).toMatchObject({ mutations: [{ counter: 1, rows: [{ o: 'i' }] }] })
  // If it had asked while nothing could be sent, there would be more.
  expect(asked).toBe(2)
  drain.dispatch({ type: 'close' })
  await drain.whenIdle()
  await replica.close()
})
