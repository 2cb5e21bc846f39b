import { runInDurableObject } from 'cloudflare:test'
import { env, exports, tracing } from 'cloudflare:workers'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { LIMITS, type Lsn, mutationId, pushAnswerSchema } from '../protocol/index.ts'
import { servers } from '../testing/postgres/servers.ts'
import { useTestDatabase } from '../testing/postgres/use-test-database.ts'
import { ORG_A, PUSH_SCHEMA, pushSync } from '../testing/push/push-app.ts'
import { insertOf, TestClient } from '../testing/push/test-client.ts'
import { newClient, tokenOf, upgradeHeaders } from '../testing/workerd/distribution.ts'
import { ADMIN_TOKEN } from '../testing/workerd/staged.ts'
import { TestSocket } from '../testing/workerd/test-socket.ts'
import { useDatabase } from '../testing/workerd/worker.ts'
import type { LogFields } from './log.ts'

interface Line extends LogFields {
  readonly source: string
  readonly time: string
  readonly level: string
  readonly event: string
}

const { REPLICATION } = env as unknown as Record<'REPLICATION', DurableObjectNamespace>
const worker = (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default
const AUDIENCES = [`org:${ORG_A}`]
const SYNC_NAME = `org:${ORG_A}`
const TASK = 'public.task'
const SECRET_VALUE = 'a title that nobody may log'

const database = useTestDatabase(servers().embedded)
beforeAll(async () => {
  useDatabase({ ...database.env, LOG_LEVEL: 'debug' })
  await database.install(PUSH_SCHEMA, pushSync)
})
afterAll(async () => {
  vi.restoreAllMocks()
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})

let lines: Line[] = []
/** What each span noted, by its name. */
let spans: [name: string, noted: Record<string, unknown>][] = []
beforeEach(() => {
  lines = []
  spans = []
  vi.spyOn(tracing, 'enterSpan').mockImplementation(((name: string, run: (span: object) => unknown) => {
    const noted: Record<string, unknown> = {}
    spans.push([name, noted])
    return run({ setAttribute: (key: string, value: unknown) => Object.assign(noted, { [key]: value }) })
  }) as typeof tracing.enterSpan)
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, level).mockImplementation((text) => void lines.push(JSON.parse(String(text))))
})
const linesOf = (event: string) => lines.filter((line) => line.event === event)

const ask = (path: string, init: RequestInit) => worker.fetch(new Request(`https://tidemark.test${path}`, init))

async function open(userId: string) {
  const token = await tokenOf({ userId, audiences: AUDIENCES })
  const { webSocket } = await ask('/sync/socket', { headers: upgradeHeaders(token) })
  if (!webSocket) throw new Error('No socket.')
  const socket = new TestSocket(webSocket)
  const client = newClient()
  const nothing = { epoch: null, cursor: null, definitionVersion: null, definitionHash: null, audiences: [] }
  socket.send({ type: 'hello', protocol: LIMITS.protocolVersion, client, unsettled: false, ...nothing })
  const { epoch, head } = await socket.frame('welcome')
  socket.cursor = head
  socket.send({ type: 'stream', epoch, from: head })
  const headers = { authorization: `Bearer ${token}` }
  const settle = async () => {
    const { lsn } = await (await ask('/sync/head', { headers })).json<{ lsn: Lsn }>()
    await socket.reaches(lsn)
  }
  const send = async (body: unknown) =>
    pushAnswerSchema.parse(
      await (await ask('/sync/push', { method: 'POST', headers, body: JSON.stringify(body) })).json(),
    )
  const writer = new TestClient(send, { userId, audiences: AUDIENCES }, client)
  return { socket, client, token, settle, writer }
}

it('OPS-07 OPS-R15 OPS-R16 OPS-R17 one mutation is followed by its id from the push to the sessions of other replicas, and by the end of its transaction', async () => {
  const author = await open('ann')
  const reader = await open('bob')
  await Promise.all([author.settle(), reader.settle()])
  const id = '00000000-0000-4000-8000-000000000001'
  const written = author.writer.patch([insertOf(TASK, { id, org_id: ORG_A, title: SECRET_VALUE })])
  expect(await author.writer.decide(written)).toEqual(['committed'])
  await Promise.all([author.settle(), reader.settle()])

  const mutation = mutationId(author.client, written.counter)
  const [received] = linesOf('push-received')
  expect(received).toMatchObject({ source: 'tidemark', level: 'debug', client: author.client, mutations: 1 })
  expect(linesOf('mutation-committed')).toMatchObject([{ mutation, client: author.client }])
  const [captured] = linesOf('mutation-captured')
  expect(captured).toMatchObject({ mutation, client: author.client, lsn: expect.stringMatching(/^[0-9a-f]{16}$/) })
  const lsn = captured?.lsn ?? ('' as Lsn)

  const deliveries = linesOf('delivery-received').filter(({ transactions }) => transactions?.includes(lsn))
  expect(deliveries).toMatchObject([{ object: SYNC_NAME, epoch: captured?.epoch }])
  // Frames that are sent as the delivery comes name its transactions; those sent from the log name the stretch.
  const isIn = ({ transactions, from, to }: LogFields) =>
    transactions?.includes(lsn) || ((from ?? '') < lsn && lsn <= (to ?? ''))
  const sentTo = linesOf('frames-sent')
    .filter(isIn)
    .flatMap(({ clients, client }) => clients ?? client ?? [])
  expect(sentTo.sort()).toEqual([author.client, reader.client].sort())
  await vi.waitFor(() => {
    const confirmed = linesOf('frames-acknowledged').filter(({ client, to }) => client === reader.client && to)
    expect(confirmed.some(({ to }) => (to ?? '') >= lsn)).toBe(true)
  })
  const session = linesOf('session-opened').find(({ client }) => client === reader.client)?.session
  expect(linesOf('frames-acknowledged').find(({ client }) => client === reader.client)?.session).toBe(session)
  expect(lines.every(({ time }) => new Date(time).toISOString() === time)).toBe(true)

  const noted = (name: string) => spans.filter(([known]) => known === name).map(([, attributes]) => attributes)
  expect(noted('tidemark.push')).toEqual([{ 'tidemark.mutations': 1, 'tidemark.rejected': 0 }])
  const stretch = (to: unknown) => typeof to === 'string' && to >= lsn
  expect(noted('tidemark.capture').some((span) => stretch(span['tidemark.to']))).toBe(true)
  expect(noted('tidemark.deliver').filter((span) => stretch(span['tidemark.to']))).toContainEqual(
    expect.objectContaining({ 'tidemark.object': SYNC_NAME, 'tidemark.epoch': captured?.epoch }),
  )

  author.socket.close()
  reader.socket.close()
  await vi.waitFor(() => expect(linesOf('session-closed').map(({ session }) => session)).toContain(session))
  const text = JSON.stringify([lines, spans])
  for (const secret of [SECRET_VALUE, id, author.token, reader.token, ADMIN_TOKEN, database.env.DATABASE_URL])
    expect(text).not.toContain(secret)
})

it('OPS-07 SEC-06 OPS-R15 a refused mutation is told with the kind of its rejection, and none of its values', async () => {
  const author = await open('cat')
  const refused = author.writer.patch([
    insertOf(TASK, { id: '00000000-0000-4000-8000-000000000002', org_id: ORG_A, title: 'forbidden', points: '4711.5' }),
  ])
  expect(await author.writer.decide(refused)).toMatchObject([{ kind: 'forbidden' }])
  const mutation = mutationId(author.client, refused.counter)
  expect(linesOf('mutation-rejected')).toMatchObject([{ level: 'info', mutation, kind: 'forbidden' }])
  expect(linesOf('mutation-committed')).toEqual([])
  expect(JSON.stringify(lines)).not.toMatch(/4711|000000000002/)
  author.socket.close()
})
