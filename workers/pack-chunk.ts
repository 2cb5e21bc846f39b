export interface PackedChunk {
  /** SHA-256 of `bytes`, hex. */
  readonly id: string
  /** Gzipped. */
  readonly bytes: Uint8Array
  readonly rawBytes: number
}

/** Gzips lines of COPY text, after adding a newline to each. */
export async function packChunk(lines: readonly string[]): Promise<PackedChunk> {
  const raw = new TextEncoder().encode(`${lines.join('\n')}\n`)
  const zipped = new Blob([raw]).stream().pipeThrough(new CompressionStream('gzip'))
  const bytes = new Uint8Array(await new Response(zipped).arrayBuffer())
  return { id: await sha256Hex(bytes), bytes, rawBytes: raw.byteLength }
}

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
