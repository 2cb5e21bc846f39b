import { runInDurableObject } from 'cloudflare:test'
import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import {
  type Change,
  clientAudience,
  decodeMarked,
  encodeChange,
  type FrameDown,
  frameDownSchema,
  type MarkedChange,
  type PredictedChange,
  type Transaction,
} from '../../../protocol/index.ts'
import { encodeTransaction } from '../../../testing/encoded-transactions.ts'
import { servers } from '../../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../../testing/postgres/use-test-database.ts'
import { lsn, syncObject, transaction } from '../../../testing/workerd/distribution.ts'
import { useDatabase } from '../../../testing/workerd/worker.ts'
import { type Author, MutationTeller } from '../rules/author.ts'
import { type Frame, FrameAssembler } from '../rules/frame-assembler.ts'
import { type Position, positionAt } from '../rules/position.ts'
import { ChangeLog } from './change-log.ts'

const database = useTestDatabase(servers().system)
beforeAll(() => {
  useDatabase(database.env)
})

const FRAME_CHARS = 300
const SEEN = ['org:1']
const OWN = 'client-of-the-author'

const value = fc.option(fc.constantFrom('a', 'b'.repeat(20), 'c'.repeat(400)), { nil: null })
const row = fc.dictionary(fc.constantFrom('x', 'y'), value)
const change: fc.Arbitrary<Change> = fc
  .record({
    op: fc.constantFrom('insert', 'update', 'delete'),
    audience: fc.constantFrom('org:1', 'org:1', 'org:2'),
    id: fc.constantFrom('1', '2', '3'),
    data: row,
  })
  .map(({ op, audience, id, data }) => {
    const base = { table: 'public.t', audience }
    if (op === 'insert') return { ...base, op, data: { ...data, id } }
    return op === 'update' ? { ...base, op, key: { id }, data } : { ...base, op: 'delete', key: { id } }
  })
const predictedChange = change.map((one): PredictedChange => {
  if (one.op === 'truncate') throw new Error('unreachable')
  const { table: t, audience: a } = one
  if (one.op === 'insert') return { o: 'i', t, a, k: { id: one.data.id ?? null }, d: one.data }
  return one.op === 'update' ? { o: 'u', t, a, k: one.key, d: one.data } : { o: 'd', t, a, k: one.key }
})
const mutation = fc.record({
  client: fc.constantFrom(OWN, OWN, 'client-of-another-one'),
  predicted: fc.option(fc.array(predictedChange, { maxLength: 5 }), { nil: null }),
})
const workload = fc.array(fc.record({ changes: fc.array(change, { maxLength: 12 }), mutation: fc.option(mutation) }), {
  minLength: 1,
  maxLength: 4,
})

/** Makes frames as history does: of the rows seen, from an offset. */
function historyFrames(
  transactions: readonly Transaction[],
  position: Position,
  audiences: string[],
  author: Author | null,
) {
  const assembler = new FrameAssembler(position, lsn(transactions.length), FRAME_CHARS)
  const teller = new MutationTeller(author)
  const ahead = transactions
    .filter((one) => one.lsn > position.lsn)
    .flatMap((one) =>
      encodeTransaction(one).changes.map((kept) => ({ ...kept, lsn: one.lsn, xid: one.xid, at: one.committedAt })),
    )
    .filter(({ audience, lsn: at }) => {
      if (audience === author?.audience) return at > (author?.after ?? '')
      return audience === null || audiences.includes(audience)
    })
  const frames: Frame[] = []
  for (const kept of ahead.slice(position.part?.sent ?? 0)) {
    const text = teller.tell(kept)
    if (text !== null) frames.push(...assembler.push({ ...kept, text }))
  }
  return [...frames, ...assembler.finish(lsn(transactions.length))]
}

/** Selects the first frames, with the further pieces of a change that they begin. */
function someOf(frames: readonly Frame[], count: number): Frame[] {
  const last = frames[count - 1]?.next
  return frames.filter(({ next }, index) => index < count || next === last)
}

/** Collects changes by transaction, as a replica puts frames together. */
function received(frames: readonly FrameDown[]): Map<string, MarkedChange[]> {
  const whole = new Map<string, MarkedChange[]>()
  const partial: (MarkedChange | string)[] = []
  for (const frame of frames) {
    if (frame.type === 'batch') for (const one of frame.transactions) whole.set(one.lsn, one.changes)
    if (frame.type === 'fragment') {
      if (frame.piece === 0) partial.push(frame.text)
      else partial.push(`${partial.pop()}${frame.text}`)
    }
    if (frame.type !== 'part') continue
    partial.push(...frame.changes)
    if (!frame.last) continue
    whole.set(
      frame.lsn,
      partial.map((one) => (typeof one === 'string' ? JSON.parse(one) : one)),
    )
    partial.length = 0
  }
  return whole
}

it('MRK-R1 MRK-R3 DIS-R6 DIS-14 DIS-19 from log and history in turn, stopped anywhere, an author has the rows as captured and others have them plain', async () => {
  await runInDurableObject(syncObject('object:log'), (_instance, state) => {
    const log = new ChangeLog(state.storage.sql)
    fc.assert(
      fc.property(
        workload,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 4 }),
        fc.option(fc.integer({ min: 1, max: 4 }), { nil: null }),
        fc.constantFrom('author', 'other', 'nobody'),
        (transactions, sources, after, rowsTo, who) => {
          log.clear()
          const all = transactions.map(({ changes, mutation: of }, index): Transaction => {
            const one = transaction(lsn(index + 1), ...changes)
            return of ? { ...one, mutation: { ...of, counter: index + 1, rejection: null } } : one
          })
          for (const one of all) log.append(encodeTransaction(one))
          const head = lsn(all.length)
          const own = { audience: clientAudience(OWN), after: lsn(after), rowsTo: rowsTo === null ? null : lsn(rowsTo) }
          const author = who === 'author' ? own : who === 'other' ? { ...own, audience: 'client:a-third-one' } : null
          const frames: FrameDown[] = []
          let position = positionAt(lsn(0))
          for (let turn = 0; position.lsn < head || position.part; turn += 1) {
            const fromLog = sources[turn % sources.length]
            const next = fromLog
              ? log.reader(head, FRAME_CHARS).nextFrames(position, SEEN, author)
              : someOf(historyFrames(all, position, SEEN, author), 1 + (turn % 3))
            for (const frame of next) frames.push(frameDownSchema.parse(JSON.parse(frame.text)))
            position = next.at(-1)?.next ?? position
          }
          const told = received(frames)
          for (const one of all) {
            const changes = told.get(one.lsn) ?? []
            const visible = one.changes.filter(({ audience }) => audience === 'org:1')
            const isOwn = who === 'author' && one.mutation?.client === OWN && one.lsn > lsn(after)
            if (isOwn) expect(changes[0]).toEqual({ o: 'm', c: one.mutation?.counter })
            else expect(changes).toEqual(visible.map(encodeChange))
            expect(changes.length).toBe(visible.length + (isOwn ? 1 : 0))
            expect(decodeMarked(changes, one.mutation?.predicted ?? null)).toEqual(visible)
            if (rowsTo !== null && one.lsn <= lsn(rowsTo)) expect(changes.every(({ o }) => o !== 'p')).toBe(true)
          }
        },
      ),
      { numRuns: 300 },
    )
    log.clear()
  })
})
