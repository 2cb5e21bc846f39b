import { TidemarkError } from '../../protocol/index.ts'
import type { JournalFiles, Slot } from '../store/journal-files.ts'
import { journalFiles } from '../store/open-journal-files.ts'
import type { Storage } from '../store/storage-name.ts'
import { foldJournal, type JournalState, newestJournal } from './rules/fold-journal.ts'

/** The journal of unsent work that was found beside a storage. */
export interface FoundJournal {
  /** Null where the storage is memory, or the files cannot be opened now. */
  readonly files: JournalFiles | null
  /** Null where there is no journal, or nothing of it can be read. */
  readonly state: JournalState | null
  readonly slot: Slot
  /** The error that keeps the journal from being read now, else null; under it no database may be begun. */
  readonly fault: unknown
  /** A message about the part that could not be read; null where there is none. */
  readonly loss: string | null
}

/** Reads the journal of a storage that the caller holds. Never rejects. */
export async function openJournal(storage: Storage): Promise<FoundJournal> {
  let files: JournalFiles | null = null
  try {
    files = await journalFiles(storage)
    if (!files) return { files, state: null, slot: 0, fault: null, loss: null }
    const read = [await files.read(0), await files.read(1)]
    const found = newestJournal(read)
    const { state = null, slot = 0 } = found ?? {}
    return { files, state, slot: slot === 1 ? 1 : 0, fault: null, loss: lossOf(read, state) }
  } catch (error) {
    await files?.close().catch(() => undefined)
    return { files: null, state: null, slot: 0, fault: error, loss: null }
  }
}

/** Describes what could not be read. An unsealed file was cut while it was begun, and the other one holds all of it. */
function lossOf(files: readonly Uint8Array[], state: JournalState | null): string | null {
  if (state) return state.isWhole ? null : 'The journal of unsent work is torn: what follows in it was not read.'
  const isDamaged = files.some((bytes) => bytes.length > 0) && files.every((bytes) => foldJournal(bytes) === null)
  return isDamaged ? 'The journal of unsent work cannot be read.' : null
}

/** Throws `storage` where the journal cannot be read: a database begun without it could give numbers twice. */
export function requireJournal({ fault }: FoundJournal): void {
  if (fault === null) return
  const said = fault instanceof Error ? fault.message : String(fault)
  throw new TidemarkError(
    'storage',
    `The journal of unsent work cannot be read now; no new database is begun without it, so that nothing is lost. Reload to try again: ${said}`,
    { cause: fault },
  )
}
