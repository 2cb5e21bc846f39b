import { z } from 'zod'
import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, parsePgLsn, TidemarkError } from '../../protocol/index.ts'
import type { ArchiveBucket } from '../env.ts'
import { packChunk, sha256Hex } from '../pack-chunk.ts'

const placeSchema = z.object({ lsn: z.string(), seq: z.number() })

/** One object of the archive: gzipped JSON lines, a row of history each. */
const partSchema = z.object({
  key: z.string(),
  /** The places of its first and last row, `lsn` as Postgres prints it. */
  from: placeSchema,
  to: placeSchema,
  rows: z.number(),
  /** Gzipped. */
  bytes: z.number(),
  /** Taken over the gzipped bytes, hex. */
  sha256: z.string(),
  firstCommittedAt: z.string(),
  lastCommittedAt: z.string(),
})

/** What the archive holds of an epoch, in order and without a gap. */
export const archiveManifestSchema = z.object({ format: z.literal(1), epoch: z.string(), parts: z.array(partSchema) })

type ArchiveManifest = z.infer<typeof archiveManifestSchema>

const START = { lsn: '0/0', seq: -1 }

export const manifestKey = (epoch: string): string => `tidemark-history/${epoch}/manifest.json`

/** Named by its first row, so that a part whose manifest was not written is put again in its own place. */
const partKey = (epoch: string, { lsn, seq }: { lsn: string; seq: number }): string =>
  `tidemark-history/${epoch}/${parsePgLsn(lsn)}-${String(seq).padStart(10, '0')}.jsonl.gz`

/** A place in history, up to which a batch goes. */
export interface PrunedPlace {
  readonly lsn: Lsn
  readonly seq: number
}

export interface PrunedBatch {
  readonly epoch: string
  readonly to: PrunedPlace
}

/**
 * Keeps history that is to be pruned in a bucket, each row once: a part is put, then named in its epoch's manifest, and only then may
 * its rows go. One at a time may write to it.
 */
export class HistoryArchive {
  readonly #bucket: ArchiveBucket
  #manifest: ArchiveManifest | null = null

  constructor(bucket: ArchiveBucket) {
    this.#bucket = bucket
  }

  /** Stores what the archive lacks of a batch. Throws `unavailable` where the bucket does not take it. */
  async store(query: Query, { epoch, to }: PrunedBatch): Promise<void> {
    const manifest = await this.#read(epoch)
    const after = manifest.parts.at(-1)?.to ?? START
    const rows = await query(
      `SELECT h.lsn::text, h.seq::text, h.committed_at::text, row_to_json(h)::text AS line FROM tidemark.change_history h
       WHERE epoch = $1 AND (lsn, seq) > ($2::pg_lsn, $3::int) AND (lsn, seq) <= ($4::pg_lsn, $5::int) ORDER BY h.lsn, h.seq`,
      [epoch, after.lsn, after.seq, formatPgLsn(to.lsn), to.seq],
    )
    const [first, last] = [rows[0], rows.at(-1)]
    if (!first || !last) return
    const { bytes } = await packChunk(rows.map(({ line }) => line ?? ''))
    const from = { lsn: first.lsn ?? '', seq: Number(first.seq) }
    const part = {
      key: partKey(epoch, from),
      from,
      to: { lsn: last.lsn ?? '', seq: Number(last.seq) },
      rows: rows.length,
      bytes: bytes.byteLength,
      sha256: await sha256Hex(bytes),
      firstCommittedAt: first.committed_at ?? '',
      lastCommittedAt: last.committed_at ?? '',
    }
    const next = { ...manifest, parts: [...manifest.parts, part] }
    // Whether a put that failed reached the bucket is not known: the manifest is read anew then.
    this.#manifest = null
    try {
      await this.#bucket.put(part.key, bytes)
      await this.#bucket.put(manifestKey(epoch), new TextEncoder().encode(JSON.stringify(next)))
    } catch (error) {
      throw new TidemarkError('unavailable', 'The archive of history does not take what is to be pruned.', {
        cause: error,
      })
    }
    this.#manifest = next
  }

  async #read(epoch: string): Promise<ArchiveManifest> {
    if (this.#manifest?.epoch === epoch) return this.#manifest
    const found = await this.#bucket.get(manifestKey(epoch)).catch((error: unknown) => {
      throw new TidemarkError('unavailable', 'The archive of history cannot be read.', { cause: error })
    })
    if (found === null) return { format: 1, epoch, parts: [] }
    const text = new TextDecoder().decode(await found.arrayBuffer())
    return archiveManifestSchema.parse(JSON.parse(text))
  }
}
