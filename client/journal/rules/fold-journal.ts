import type { Definition, Rejection } from '../../../protocol/index.ts'
import { decodeFrames } from './frames.ts'
import { type FrozenRecord, type JournalRecord, type MadeRecord, recordSchema, retriedBy } from './records.ts'

/** A mutation that had not ended when the journal was last written. */
export interface OpenMutation {
  readonly made: MadeRecord
  readonly frozen: FrozenRecord | null
  readonly rejection: Rejection | null
}

/** The content of a journal's file. */
export interface JournalState {
  readonly generation: number
  readonly user: string
  readonly client: string
  /** The highest number that was ever given, as far as can be read. */
  readonly counter: number
  /** False where a part of it is torn or damaged. */
  readonly isWhole: boolean
  readonly definitions: ReadonlyMap<string, Definition>
  readonly open: ReadonlyMap<number, OpenMutation>
  /** The mutations that ended since the file was begun. */
  readonly ended: ReadonlyMap<number, 'confirmed' | 'gone'>
  readonly hasLeft: boolean
}

/** Reads a journal's file; null where it was never sealed. */
export function foldJournal(bytes: Uint8Array): JournalState | null {
  const { texts, isWhole } = decodeFrames(bytes)
  const records: JournalRecord[] = []
  for (const text of texts) {
    const record = parseRecord(text)
    if (record === null) break
    records.push(record)
  }
  const [begun] = records
  if (begun?.t !== 'begun' || !records.some(({ t }) => t === 'sealed')) return null
  const definitions = new Map<string, Definition>()
  const open = new Map<number, OpenMutation>()
  const ended = new Map<number, 'confirmed' | 'gone'>()
  let counter = 0
  let hasLeft = false
  const end = (number: number, how: 'confirmed' | 'gone') => {
    // The mutations squashed into it end with it.
    for (const one of [number, ...(open.get(number)?.frozen?.took ?? [])]) ended.set(one, how)
    open.delete(number)
  }
  for (const record of records) {
    switch (record.t) {
      case 'begun':
        break
      case 'sealed':
        counter = Math.max(counter, record.counter)
        break
      case 'definition':
        definitions.set(record.hash, record.definition)
        break
      case 'made': {
        counter = Math.max(counter, record.counter)
        const retried = retriedBy(record.origin)
        if (retried !== null) end(retried, 'gone')
        if (!open.has(record.counter)) open.set(record.counter, { made: record, frozen: null, rejection: null })
        break
      }
      case 'frozen': {
        const known = open.get(record.counter)
        if (known) open.set(record.counter, { ...known, frozen: record })
        for (const one of record.took) open.delete(one)
        break
      }
      case 'failed': {
        const known = open.get(record.counter)
        if (known) open.set(record.counter, { ...known, rejection: record.rejection })
        break
      }
      case 'ended':
        end(record.counter, record.how)
        break
      case 'left':
        hasLeft = true
    }
  }
  const { generation, user, client } = begun
  const complete = isWhole && records.length === texts.length
  return { generation, user, client, counter, isWhole: complete, definitions, open, ended, hasLeft }
}

function parseRecord(text: string): JournalRecord | null {
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}

/** Answers the file in force, the newest that was sealed; null where there is none. */
export function newestJournal(
  files: readonly Uint8Array[],
): { readonly slot: number; readonly state: JournalState } | null {
  const found = files.flatMap((bytes, slot) => {
    const state = bytes.length === 0 ? null : foldJournal(bytes)
    return state ? [{ slot, state }] : []
  })
  return found.sort((a, b) => b.state.generation - a.state.generation)[0] ?? null
}
