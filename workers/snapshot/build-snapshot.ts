import type { Manifest } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import { BUILD_ATTEMPTS, buildDelayMs, outOfPatience } from './build-patience.ts'
import { ChunkCutter, type PutChunk } from './chunk-cutter.ts'
import type { WaitReason } from './join-position.ts'
import { type NotYet, readSnapshot, type SnapshotHead, type SnapshotReceiver } from './read-snapshot.ts'

export interface BuildSurroundings {
  readonly withDatabase: <T>(run: (database: Database) => Promise<T>) => Promise<T>
  /** Called between two attempts, with the reason why the last one failed and the delay to wait. */
  readonly wait: (reason: WaitReason, delayMs: number) => Promise<void>
  readonly nowMs: () => number
  readonly random: () => number
}

/** A finished reading: the manifest, and when its transaction began. */
export interface BuiltSnapshot {
  readonly manifest: Manifest
  readonly startedAtMs: number
}

/**
 * Reads and packs one snapshot, trying again while it cannot be read yet, at most `BUILD_ATTEMPTS` times.
 *
 * Every chunk is stored before this resolves; the caller stores the manifest, last. Throws `unavailable` when patience
 * runs out, `schema-drift`, `limit-exceeded` for a row too large, and what the database throws.
 */
export async function buildSnapshot(
  audience: string,
  put: PutChunk,
  surroundings: BuildSurroundings,
): Promise<BuiltSnapshot> {
  return readPatiently<BuiltSnapshot>(
    (database) => buildOnce(database, audience, put, surroundings.nowMs()),
    surroundings,
  )
}

/** Reads, trying again while nothing can be read yet, at most `BUILD_ATTEMPTS` times. Throws `unavailable` then. */
export async function readPatiently<Read extends object>(
  read: (database: Database) => Promise<Read | NotYet>,
  surroundings: Omit<BuildSurroundings, 'nowMs'>,
): Promise<Read> {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await surroundings.withDatabase(read)
    if (!('wait' in outcome)) return outcome
    if (attempt + 1 === BUILD_ATTEMPTS) throw outOfPatience(outcome.wait)
    await surroundings.wait(outcome.wait, buildDelayMs(attempt, surroundings.random()))
  }
}

/** Makes one attempt. */
async function buildOnce(
  database: Database,
  audience: string,
  put: PutChunk,
  startedAtMs: number,
): Promise<BuiltSnapshot | { wait: WaitReason }> {
  const collector = new Collector(put)
  const head = await readSnapshot(database, audience, collector)
  if ('wait' in head) return head
  return { manifest: manifestOf(head, audience, collector.cutters, startedAtMs), startedAtMs }
}

class Collector implements SnapshotReceiver {
  readonly cutters: { readonly cutter: ChunkCutter; readonly priority: number }[] = []
  readonly #put: PutChunk

  constructor(put: PutChunk) {
    this.#put = put
  }

  table(table: SnapshotHead['definition']['definition']['tables'][number]): ChunkCutter {
    const cutter = new ChunkCutter(table, this.#put)
    this.cutters.push({ cutter, priority: table.priority })
    return cutter
  }
}

function manifestOf(
  head: SnapshotHead,
  audience: string,
  cutters: Collector['cutters'],
  startedAtMs: number,
): Manifest {
  const tables = cutters.map(({ cutter, priority }) => ({ priority, table: cutter.manifest() }))
  tables.sort((a, b) => a.priority - b.priority || a.table.bytes - b.table.bytes)
  return {
    epoch: head.epoch,
    audience,
    definitionVersion: head.definition.version,
    definitionHash: head.definition.hash,
    definition: head.definition.definition,
    start: head.start,
    fence: head.fence,
    snapshot: head.snapshot,
    builtAt: new Date(startedAtMs).toISOString(),
    tables: tables.map(({ table }) => table),
  }
}
