import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { action, refuse } from '../../db/index.ts'
import type { PredictedChange, Rejection, Row, WireChange } from '../../protocol/index.ts'
import { WRITABLE } from '../../testing/replica/definitions.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'
import { withServerRows } from '../store/server-rows.ts'
import { Rebase } from './rebase.ts'
import { scopeOf } from './rebase-scope.ts'

const SEED = Number(process.env.REBASE_SEED ?? 20_261_126)
const RUNS = Number(process.env.REBASE_RUNS ?? 8)

const NOTE = 'public.note'
const FOLDER = 'public.folder'
const a = 'org:a'
const IDS = ['1', '2', '3', '4', '5', '6']
const FOLDERS = ['f', 'g']
const TITLES = ['red', 'green', 'blue', 'white']

const ACTIONS = {
  bump: action(z.object({ id: z.string() }), async ({ sql, id }, args) => {
    const [row] = await sql`UPDATE note SET rank = coalesce(rank, 0) + 10 WHERE id = ${args.id} RETURNING rank`
    if (!row) return refuse('gone', 'There is no such note.')
    if (Number(row.rank) > 40)
      await sql`INSERT INTO label (id, org, text) VALUES (${id('label')}, 'a', ${row.rank ?? ''})`
  }),
}

type Step =
  | { readonly do: 'write'; readonly statements: readonly string[] }
  | { readonly do: 'act'; readonly id: string }
  | { readonly do: 'send' }
  | { readonly do: 'server'; readonly edits: readonly Edit[] }
  | { readonly do: 'answer'; readonly accept: boolean; readonly twist: number }
  | { readonly do: 'batch'; readonly edits: readonly Edit[]; readonly twist: number }

type Edit =
  | { readonly kind: 'set'; readonly id: string; readonly column: 'title' | 'rank'; readonly value: string | null }
  | { readonly kind: 'make'; readonly id: string; readonly title: string | null; readonly folder: string | null }
  | { readonly kind: 'drop'; readonly id: string }
  | { readonly kind: 'folder'; readonly id: string }
  | { readonly kind: 'dropFolder'; readonly id: string }

const id = fc.constantFrom(...IDS)
const folder = fc.constantFrom(...FOLDERS)
const title = fc.option(fc.constantFrom(...TITLES), { nil: null })
const quoted = (text: string | null) => (text === null ? 'NULL' : `'${text}'`)

const statement = fc.oneof(
  fc.tuple(id, title).map(([one, value]) => `UPDATE note SET title = ${quoted(value)} WHERE id = '${one}'`),
  fc.tuple(id, fc.nat(9)).map(([one, value]) => `UPDATE note SET rank = ${value} WHERE id >= '${one}'`),
  fc
    .tuple(id, title, fc.option(folder, { nil: null }))
    .map(
      ([one, value, into]) =>
        `INSERT INTO note (id, org, title, folder) VALUES ('${one}', 'a', ${quoted(value)}, ${quoted(into)})`,
    ),
  id.map((one) => `DELETE FROM note WHERE id = '${one}'`),
  fc.tuple(id, id).map(([one, other]) => `UPDATE note SET id = '${other}' WHERE id = '${one}'`),
  folder.map((one) => `INSERT INTO folder (id, org) VALUES ('${one}', 'a')`),
  folder.map((one) => `DELETE FROM folder WHERE id = '${one}'`),
  fc.tuple(id, folder).map(([one, into]) => `UPDATE note SET folder = '${into}' WHERE id = '${one}'`),
)

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), id, column: fc.constant('title' as const), value: title }),
  fc.record({
    kind: fc.constant('set' as const),
    id,
    column: fc.constant('rank' as const),
    value: fc.nat(9).map(String),
  }),
  fc.record({ kind: fc.constant('make' as const), id, title, folder: fc.option(folder, { nil: null }) }),
  fc.record({ kind: fc.constant('drop' as const), id }),
  fc.record({ kind: fc.constant('folder' as const), id: folder }),
  fc.record({ kind: fc.constant('dropFolder' as const), id: folder }),
)

const edits = fc.array(edit, { minLength: 1, maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      statements: fc.array(statement, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('act' as const), id }) },
  { weight: 2, arbitrary: fc.constant({ do: 'send' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('server' as const), edits }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      accept: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
      twist: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('batch' as const), edits, twist: fc.nat(3) }) },
)

/** The server's rows, kept as it would keep them: with its constraints, and answering each change as captured. */
class ServerModel {
  readonly notes = new Map<string, Row>()
  readonly folders = new Map<string, Row>()

  edit(edit: Edit): WireChange[] {
    if (edit.kind === 'folder')
      return this.folders.has(edit.id) ? [] : this.put(FOLDER, { id: edit.id, org: 'a', name: null })
    if (edit.kind === 'dropFolder') return this.remove(FOLDER, edit.id)
    if (edit.kind === 'drop') return this.remove(NOTE, edit.id)
    if (edit.kind === 'make') {
      if (this.notes.has(edit.id)) return []
      return this.put(NOTE, { id: edit.id, org: 'a', folder: edit.folder, title: edit.title, rank: '1', number: '1' })
    }
    return this.set(edit.id, { [edit.column]: edit.value })
  }

  put(table: string, row: Row): WireChange[] {
    const rows = table === NOTE ? this.notes : this.folders
    if (table !== NOTE && table !== FOLDER) return [{ o: 'i', t: table, a, d: row }]
    const { id, folder, title } = row
    if (!id || rows.has(id) || (folder && !this.folders.has(folder)) || this.#isTaken(id, title ?? null)) return []
    rows.set(id, row)
    return [{ o: 'i', t: table, a, d: row }]
  }

  set(id: string, d: Row): WireChange[] {
    const row = this.notes.get(id)
    const { folder, title } = d
    if (!row || (folder && !this.folders.has(folder)) || this.#isTaken(id, title ?? null)) return []
    const changed = Object.entries(d).filter(([name, value]) => row[name] !== value)
    if (changed.length === 0) return []
    this.notes.set(id, { ...row, ...d })
    return [{ o: 'u', t: NOTE, a, k: { id }, d: Object.fromEntries(changed) }]
  }

  remove(table: string, id: string): WireChange[] {
    if (table === NOTE) return this.notes.delete(id) ? [{ o: 'd', t: NOTE, a, k: { id } }] : []
    if (!this.folders.delete(id)) return []
    const children = [...this.notes].filter(([, row]) => row.folder === id).map(([child]) => child)
    return [{ o: 'd', t: FOLDER, a, k: { org: 'a', id } }, ...children.flatMap((child) => this.remove(NOTE, child))]
  }

  /** Does a mutation here: as it was predicted where that is possible, and by `twist` more, less or otherwise. */
  perform(predicted: readonly PredictedChange[], twist: number): WireChange[] {
    const kept = twist === 1 ? predicted.slice(1) : predicted
    const changes = kept.flatMap((change): WireChange[] => {
      if (change.o === 'd') return this.remove(change.t, change.k.id ?? '')
      if (change.o === 'i') return this.put(change.t, change.t === NOTE ? { ...change.d, number: '5' } : change.d)
      return this.set(change.k.id ?? '', twist === 2 ? { ...change.d, rank: '77' } : change.d)
    })
    return twist === 3 ? [...changes, ...this.set('1', { rank: '99' })] : changes
  }

  #isTaken(id: string, title: string | null): boolean {
    return title !== null && [...this.notes].some(([other, row]) => other !== id && row.title === title)
  }
}

const byId = (rows: Iterable<Row>) => [...rows].sort((one, other) => ((one.id ?? '') < (other.id ?? '') ? -1 : 1))

async function imageOf(tx: Pick<LocalReplica['db'], 'query'>) {
  const read = async (table: string, columns: string) =>
    (await tx.query<Row>(`SELECT ${columns} FROM public.${table} ORDER BY id`)).rows
  return {
    notes: await read('note', 'id, org, folder, title, rank::text, number::text'),
    folders: await read('folder', 'id, org, name'),
  }
}

class Undoing extends Error {}

/** Undoing everything pending gives the server's rows; doing it again gives back what was shown. */
async function check(replica: LocalReplica, server: ServerModel): Promise<void> {
  const shown = await imageOf(replica.db)
  const states = await replica.states()
  let redone: unknown
  const undoing = withServerRows(replica.db, async (tx) => {
    const rebase = await Rebase.open(tx, scopeOf(replica.copy, replica.outbox.actions))
    const all = rebase.counters
    await rebase.undoMutations(all)
    expect(await imageOf(tx as never)).toEqual({
      notes: byId(server.notes.values()),
      folders: byId(server.folders.values()),
    })
    await rebase.redoMutations(all)
    redone = await imageOf(tx as never)
    throw new Undoing()
  })
  await expect(undoing).rejects.toThrow(Undoing)
  expect(redone).toEqual(shown)
  expect(await replica.states()).toEqual(states)
  const { rows } = await replica.db.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM tidemark.write w JOIN tidemark.mutation m USING (counter) WHERE m.status IN ('confirmed', 'failed')`,
  )
  expect(rows[0]?.n).toBe(0)
}

interface Sent {
  readonly counter: number
  readonly predicted: readonly PredictedChange[]
}

async function runSteps(steps: readonly Step[]): Promise<void> {
  const replica = await LocalReplica.open(WRITABLE, { actions: ACTIONS })
  const server = new ServerModel()
  const sent: Sent[] = []
  const answered = (twist: number) => {
    const next = sent.shift()
    return next ? [{ changes: server.perform(next.predicted, twist), by: { counter: next.counter } }] : []
  }
  const perform = async (step: Step) => {
    switch (step.do) {
      case 'write':
        // A statement that a constraint refuses leaves nothing of its transaction.
        return replica.db.exec(step.statements.join(';')).catch(() => undefined)
      case 'act':
        return replica.outbox.runAction('bump', { id: step.id }).catch(() => undefined)
      case 'send': {
        const { rows } = await replica.db.query<{ counter: number }>(
          `SELECT counter FROM tidemark.mutation WHERE status = 'pending' AND effective ORDER BY counter LIMIT 1`,
        )
        const counter = rows[0]?.counter
        if (counter === undefined) return
        const predicted = await replica.send(counter)
        if ((await replica.states())[counter]?.startsWith('sent')) sent.push({ counter, predicted })
        return
      }
      case 'server':
        return replica.commit(step.edits.flatMap((one) => server.edit(one)))
      case 'batch':
        return replica.commitAll([
          { changes: step.edits.slice(0, 1).flatMap((one) => server.edit(one)) },
          ...answered(step.twist),
          ...answered(0),
          { changes: step.edits.slice(1).flatMap((one) => server.edit(one)) },
        ])
      case 'answer': {
        if (step.accept) return replica.commitAll(answered(step.twist))
        const next = sent.shift()
        if (!next) return
        const rejection: Rejection = { kind: 'refused', message: 'no' }
        if (step.twist > 1) await replica.outbox.failMutation(next.counter, rejection)
        const fallen = await replica.states()
        // The server too refuses, for that reason, the mutations that build on it.
        for (const [index, one] of [...sent.entries()].reverse())
          if (fallen[one.counter]?.startsWith('failed')) sent.splice(index, 1)
        return replica.commit([], { counter: next.counter, rejection })
      }
    }
  }
  try {
    await replica.commit(
      IDS.slice(0, 3).flatMap((one) => server.edit({ kind: 'make', id: one, title: null, folder: null })),
    )
    for (const step of steps) {
      await perform(step)
      const states = await replica.states()
      for (const [index, one] of [...sent.entries()].reverse())
        if (!states[one.counter]?.startsWith('sent')) sent.splice(index, 1)
      await check(replica, server)
    }
  } finally {
    await replica.close()
  }
}

describe('rebase', () => {
  test(`REB-01 REB-03 REB-13 REB-18 REB-20 RBS-R2 at every step undoing gives the server's rows and redoing what is shown, seed ${SEED}`, async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), runSteps), {
      seed: SEED,
      numRuns: RUNS,
      endOnFailure: process.env.REBASE_SHRINK === undefined,
    })
  }, 600_000)
})
