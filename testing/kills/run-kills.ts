import { setTimeout as sleep } from 'node:timers/promises'
import { counterOf } from '../../protocol/index.ts'
import type { Random } from '../oracle/random.ts'
import type { CommittingServer } from './committing-server.ts'
import type { Word } from './write-on.ts'

/** The writing side, in a process or a browser of its own. */
export interface Writer {
  kill(): Promise<void>
}

/** Starts a writer, which passes on its words and, where it ends by itself, why. */
export type StartWriter = (
  run: string,
  listen: { readonly word: (word: Word) => void; readonly ended: (why: Error) => void },
) => Promise<Writer>

export interface KillsReport {
  /** Everything that broke a promise. */
  readonly violations: readonly string[]
  /** The number of kills while the replica was being opened, and while it wrote. */
  readonly killedOpening: number
  readonly killedWriting: number
  readonly mutations: number
  readonly drafts: number
  readonly rejected: number
}

/** A kill comes after this many words and so much time, or after a time alone, which may be while the replica opens. */
const MOST_WORDS = 14
const MOST_AFTER_MS = 60
const MOST_OPENING_MS = 4_000

/**
 * Starts and kills a writer again and again at moments that `random` chooses, then lets a last one settle. Whatever was said
 * must be there at each start, and in the end replica and server must hold the same.
 */
export async function runKills(options: {
  readonly kills: number
  readonly random: Random
  readonly server: CommittingServer
  readonly start: StartWriter
}): Promise<KillsReport> {
  const { kills, random, server, start } = options
  const violations: string[] = []
  const mutations = new Set<string>()
  const drafts = new Set<number>()
  let killedOpening = 0
  let killedWriting = 0

  /** Notes what was said, and compares it with what an opening knows. */
  function hear(run: string, word: Word): void {
    if (word.t === 'mutation') mutations.add(word.id)
    if (word.t === 'draft') drafts.add(word.draft)
    if (word.t !== 'opened') return
    const [ids, kept] = [new Set(word.ids), new Set(word.drafts)]
    for (const id of mutations) if (!ids.has(id)) violations.push(`run ${run}: mutation ${id} was said and is gone`)
    for (const draft of drafts) if (!kept.has(draft)) violations.push(`run ${run}: draft ${draft} was said and is gone`)
    if (word.rebuilt !== null) violations.push(`run ${run}: the storage was made anew: ${word.rebuilt}`)
  }

  for (let run = 0; run < kills; run++) {
    const words = random.chance(0.8) ? 1 + random.below(MOST_WORDS) : 0
    const afterMs = random.below(words > 0 ? MOST_AFTER_MS : MOST_OPENING_MS)
    let heard = 0
    const reached = Promise.withResolvers<void>()
    if (words === 0) reached.resolve()
    const writer = await start(String(run), {
      word: (word) => {
        hear(String(run), word)
        heard += 1
        if (heard >= words) reached.resolve()
      },
      ended: reached.reject,
    })
    await reached.promise
    await sleep(afterMs)
    await writer.kill()
    if (heard === 0) killedOpening += 1
    else killedWriting += 1
  }

  const settled = Promise.withResolvers<Extract<Word, { t: 'settled' }>>()
  const last = await start('last', {
    word: (word) => (word.t === 'settled' ? settled.resolve(word) : hear('last', word)),
    ended: settled.reject,
  })
  violations.push(...judgeEnd(await settled.promise, mutations, server))
  await last.kill()
  return {
    violations,
    killedOpening,
    killedWriting,
    mutations: mutations.size,
    drafts: drafts.size,
    rejected: server.rejected.size,
  }
}

/** Compares how everything ended with what was said and with what the server holds. */
function judgeEnd(end: Extract<Word, { t: 'settled' }>, said: ReadonlySet<string>, server: CommittingServer): string[] {
  const violations: string[] = []
  const statuses = new Map(end.statuses)
  for (const id of said) {
    const status = statuses.get(id)
    const isDecided = status === 'confirmed' || status === 'failed'
    if (!isDecided) violations.push(`mutation ${id} ended as ${status}`)
    if (server.rejected.has(counterOf(id)) !== (status === 'failed') && status === 'confirmed')
      violations.push(`mutation ${id} was refused and is ${status}`)
  }
  if (end.failures !== server.rejected.size)
    violations.push(`${server.rejected.size} mutations were refused, and ${end.failures} wait for a decision`)
  if (server.clients.size > 1) violations.push(`one replica had ${server.clients.size} client ids`)
  const here = JSON.stringify(end.notes)
  const there = JSON.stringify(
    [...server.notes.values()]
      .map(({ id = '', folder = null, title = null, slug = null, count = '0' }) => ({ id, folder, title, slug, count }))
      .sort((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1)),
  )
  if (here !== there) violations.push(`the replica holds ${here}, the server ${there}`)
  const added = [...server.committed.values()].filter((one) => one.kind === 'action').length
  const counted = Number(server.notes.get('1')?.count)
  if (added !== counted) violations.push(`${added} actions were committed, and the note counts ${counted}`)
  return violations
}
