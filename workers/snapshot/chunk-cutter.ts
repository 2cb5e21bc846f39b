import {
  LIMITS,
  type ManifestChunk,
  type ManifestTable,
  type TableDefinition,
  travellingColumns,
} from '../../protocol/index.ts'
import { packChunk } from '../pack-chunk.ts'
import type { LineSink } from './read-snapshot.ts'

export type PutChunk = (id: string, bytes: Uint8Array) => Promise<void>

/** Cuts one table's lines into chunks of at most `LIMITS.chunkRawBytes`, or of one line where that alone is larger. */
export class ChunkCutter implements LineSink {
  readonly #table: TableDefinition
  readonly #put: PutChunk
  readonly #chunks: ManifestChunk[] = []
  #lines: string[] = []
  #rawBytes = 0

  constructor(table: TableDefinition, put: PutChunk) {
    this.#table = table
    this.#put = put
  }

  /** `bytes` counts the newline. */
  line(line: string, bytes: number): void | Promise<void> {
    if (this.#rawBytes + bytes <= LIMITS.chunkRawBytes || this.#lines.length === 0) {
      this.#lines.push(line)
      this.#rawBytes += bytes
      return
    }
    return this.#flush().then(() => this.line(line, bytes))
  }

  async end(): Promise<void> {
    if (this.#lines.length > 0) await this.#flush()
  }

  /** The table's part of the manifest, once `end` has been called. */
  manifest(): ManifestTable {
    const total = (figure: 'rows' | 'bytes') => this.#chunks.reduce((sum, chunk) => sum + chunk[figure], 0)
    return {
      table: this.#table.id,
      columns: travellingColumns(this.#table).map((column) => column.name),
      rows: total('rows'),
      bytes: total('bytes'),
      chunks: this.#chunks,
    }
  }

  async #flush(): Promise<void> {
    const lines = this.#lines
    this.#lines = []
    this.#rawBytes = 0
    const { id, bytes, rawBytes } = await packChunk(lines)
    await this.#put(id, bytes)
    this.#chunks.push({ id, rows: lines.length, bytes: bytes.byteLength, rawBytes })
  }
}
