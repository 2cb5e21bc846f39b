import { DurableObject } from 'cloudflare:workers'
import { isAudienceName, type Lsn, parsePgLsn, TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import { REPLICATION_NAME, type SnapshotRpc } from '../contracts.ts'
import { type Database, type OpenOptions, withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { inSpan } from '../span.ts'
import type { NoteSpan } from '../span-name.ts'
import { logFault } from '../typed-error.ts'
import { BucketChunkStore } from './bucket-chunk-store.ts'
import { BuildCatalogue } from './build-catalogue.ts'
import { waitsForCapture } from './build-patience.ts'
import { type BuildSurroundings, buildSnapshot, readPatiently } from './build-snapshot.ts'
import type { ChunkStore } from './chunk-store.ts'
import { isFresh, type Present } from './freshness.ts'
import { KeptSums } from './kept-sums.ts'
import { readSums } from './read-sums.ts'
import { SharedRun } from './shared-run.ts'
import { SqliteChunkStore } from './sqlite-chunk-store.ts'

export interface SnapshotOptions {
  /** A snapshot older than this is read anew for the next client. Default one hour. */
  readonly maxAgeMs?: number
  /** Chunks outlive their snapshot by this, so that running downloads end well. Default 15 minutes. */
  readonly graceMs?: number
}

export interface SnapshotObjectOptions {
  readonly snapshots?: SnapshotOptions
}

const DEFAULT_MAX_AGE_MS = 60 * 60_000
const DEFAULT_GRACE_MS = 15 * 60_000
const CHUNK_ID = /^[0-9a-f]{64}$/
/** Pause between two rounds of dropping, when there is more to drop. */
const SWEEP_PAUSE_MS = 100
const CONNECTION: OpenOptions = { applicationName: 'tidemark snapshot' }

const PRESENT = `
  SELECT e.id, e.floor_lsn::text, d.version::text, d.hash
  FROM (SELECT) AS one
  LEFT JOIN tidemark.epoch e ON e.ended_at IS NULL
  LEFT JOIN LATERAL (SELECT version, hash FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1) d ON true`

/** Makes the class of the SnapshotDO: one object for each audience, named by it. */
export function createSnapshotObject(
  options: SnapshotObjectOptions = {},
): new (
  ctx: DurableObjectState,
  env: SyncEnv,
) => DurableObject<SyncEnv> & SnapshotRpc {
  const maxAgeMs = options.snapshots?.maxAgeMs ?? DEFAULT_MAX_AGE_MS
  const graceMs = options.snapshots?.graceMs ?? DEFAULT_GRACE_MS

  return class SnapshotObject extends DurableObject<SyncEnv> implements SnapshotRpc {
    readonly #catalogue: BuildCatalogue
    readonly #chunks: ChunkStore
    readonly #manifest: SharedRun<string>
    readonly #sums: KeptSums
    #audience: string | null = null

    constructor(ctx: DurableObjectState, env: SyncEnv) {
      super(ctx, env)
      this.#catalogue = new BuildCatalogue(ctx.storage.sql)
      const { sql } = ctx.storage
      this.#chunks = new BucketChunkStore({
        sql,
        bucket: env.SNAPSHOTS ?? null,
        own: new SqliteChunkStore(sql),
        audience: () => this.#audience ?? '',
      })
      this.#catalogue.doomOrphans(Date.now())
      ctx.blockConcurrencyWhile(() => this.#armSweep())
      this.#manifest = new SharedRun(() => this.#freshManifest(this.#audience ?? ''))
      this.#sums = new KeptSums(
        () => readPatiently((database) => readSums(database, this.#audience ?? ''), this.#surroundings()),
        () => Date.now(),
      )
    }

    async manifest(audience: string): Promise<{ manifest: string }> {
      this.#serve(audience)
      return { manifest: await this.#manifest.get() }
    }

    async sums(audience: string, at: Lsn | null): Promise<{ sums: string }> {
      this.#serve(audience)
      return { sums: JSON.stringify(await this.#sums.get(at)) }
    }

    #serve(audience: string): void {
      if (!isAudienceName(audience))
        throw new TidemarkError('bad-input', 'Not an audience: expected `all` or `prefix:value`.')
      this.#audience ??= audience
      if (this.#audience !== audience)
        throw new TidemarkError('internal', 'A SnapshotDO serves the one audience it is named by.')
    }

    #surroundings(): BuildSurroundings {
      return {
        withDatabase: (run) => withDatabase(this.env, run, CONNECTION),
        wait: async (reason, delayMs) => {
          if (waitsForCapture(reason)) await this.#kick()
          await new Promise((resolve) => setTimeout(resolve, delayMs))
        },
        nowMs: () => Date.now(),
        random: () => Math.random(),
      }
    }

    async chunk(id: string): Promise<Uint8Array | null> {
      if (!CHUNK_ID.test(id)) return null
      try {
        return await this.#chunks.get(id)
      } catch (error) {
        logFault(this.env, toTidemarkError(error), error)
      }
      // The chunk is damaged or lost in storage: fetching again cannot help, a new build does.
      this.#catalogue.doom(null, Date.now())
      await this.#armSweep()
      return null
    }

    async drop(): Promise<boolean> {
      const isThere = this.#catalogue.current() !== null
      this.#catalogue.doom(null, Date.now() + graceMs)
      await this.#armSweep()
      return isThere
    }

    override async alarm(): Promise<void> {
      const nowMs = Date.now()
      const current = this.#catalogue.current()
      // Nobody asked while it was fresh, and the next to ask needs a newer one anyway.
      if (current && nowMs - current.startedAtMs >= maxAgeMs) this.#catalogue.doom(current.id, nowMs + graceMs)
      let pauseMs = 0
      for (const id of this.#catalogue.due(nowMs)) {
        try {
          if (await this.#chunks.drop(id)) this.#catalogue.forget(id)
          pauseMs = 0
          break
        } catch {
          // A build that cannot be dropped now must not block the others.
          pauseMs = graceMs
        }
      }
      await this.#armSweep(pauseMs)
    }

    async #freshManifest(audience: string): Promise<string> {
      const present = await withDatabase(this.env, readPresent, CONNECTION)
      const current = this.#catalogue.current()
      if (current && isFresh(current, audience, present, Date.now(), maxAgeMs))
        return this.#catalogue.manifest(current.id)
      return await inSpan('tidemark.snapshot', (note) => this.#build(audience, note))
    }

    async #build(audience: string, note: NoteSpan): Promise<string> {
      const id = crypto.randomUUID()
      const begunMs = Date.now()
      this.#catalogue.begin(id)
      try {
        const { manifest, startedAtMs } = await buildSnapshot(
          audience,
          (chunk, bytes) => this.#chunks.put(id, chunk, bytes),
          this.#surroundings(),
        )
        const text = JSON.stringify(manifest)
        const { epoch, definitionVersion, definitionHash, start } = manifest
        note({ epoch, start, tables: manifest.tables.length })
        this.#catalogue.finish(
          { id, audience, epoch, definitionVersion, definitionHash, start, startedAtMs },
          text,
          Date.now() + graceMs,
        )
        // Clients are ready at the fence, which capture passes with its next cycle.
        this.ctx.waitUntil(this.#kick())
        this.ctx.waitUntil(this.#report(Date.now() - begunMs, null))
        return text
      } catch (error) {
        this.#catalogue.doom(id, Date.now())
        this.ctx.waitUntil(this.#report(Date.now() - begunMs, toTidemarkError(error).kind))
        throw error
      } finally {
        await this.#armSweep()
      }
    }

    /** Only speeds things up: capture goes on without this. */
    async #kick(): Promise<void> {
      try {
        await this.env.REPLICATION.getByName(REPLICATION_NAME).kick()
      } catch {}
    }

    /** Tells health of a build; nobody waits for that, and it may fail. */
    async #report(ms: number, fault: string | null): Promise<void> {
      try {
        await this.env.REPLICATION.getByName(REPLICATION_NAME).report({
          build: { ms, fault, audience: this.#audience ?? '' },
        })
      } catch {}
    }

    async #armSweep(pauseMs = 0): Promise<void> {
      const current = this.#catalogue.current()
      const times = [this.#catalogue.nextDropAtMs(), current === null ? null : current.startedAtMs + maxAgeMs]
      const due = times.filter((time) => time !== null)
      if (due.length === 0) return
      await this.ctx.storage.setAlarm(Math.max(Math.min(...due), Date.now() + Math.max(pauseMs, SWEEP_PAUSE_MS)))
    }
  }
}

async function readPresent({ query }: Database): Promise<Present> {
  const [row = {}] = await query(PRESENT)
  return {
    epoch: row.id ?? null,
    floor: row.floor_lsn == null ? null : parsePgLsn(row.floor_lsn),
    definitionVersion: row.version == null ? null : Number(row.version),
    definitionHash: row.hash ?? null,
  }
}
