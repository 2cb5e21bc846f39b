/** A record's length and checksum, four bytes each, stand before its text. */
const HEAD_BYTES = 8

/** The largest length that is believed: beyond it, it is damage. A mutation's images are bounded far below. */
const MOST_BYTES = 64 * 1024 * 1024

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}

/** Encodes records as they lie in a journal's file, each behind its length and checksum. */
export function encodeFrames(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder()
  const bodies = texts.map((text) => encoder.encode(text))
  const bytes = new Uint8Array(bodies.reduce((sum, body) => sum + HEAD_BYTES + body.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const body of bodies) {
    view.setUint32(at, body.length)
    view.setUint32(at + 4, crc32(body))
    bytes.set(body, at + HEAD_BYTES)
    at += HEAD_BYTES + body.length
  }
  return bytes
}

export interface DecodedFrames {
  readonly texts: readonly string[]
  /** False where a torn or damaged record was met, behind which nothing is read. */
  readonly isWhole: boolean
}

/** Reads records up to the first that is torn or damaged. */
export function decodeFrames(bytes: Uint8Array): DecodedFrames {
  const decoder = new TextDecoder()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const texts: string[] = []
  let at = 0
  while (at + HEAD_BYTES <= bytes.length) {
    const length = view.getUint32(at)
    const end = at + HEAD_BYTES + length
    if (length > MOST_BYTES || end > bytes.length) return { texts, isWhole: false }
    const body = bytes.subarray(at + HEAD_BYTES, end)
    if (crc32(body) !== view.getUint32(at + 4)) return { texts, isWhole: false }
    texts.push(decoder.decode(body))
    at = end
  }
  return { texts, isWhole: at === bytes.length }
}
