import { type Manifest, TidemarkError } from '../../protocol/index.ts'
import { isServerRuntime } from '../store/runtime.ts'

/** The largest load a replica takes on, over all its audiences. */
export interface Envelope {
  readonly rows: number
  /** Counted as uncompressed COPY text: about what the rows take before indexes. */
  readonly bytes: number
}

const MIB = 1024 * 1024
const BROWSER: Envelope = { rows: 1_000_000, bytes: 256 * MIB }
const SERVER: Envelope = { rows: 10_000_000, bytes: 2048 * MIB }

/** Puts the app's own values into `base`; without a base, into the default of this runtime. Throws `bad-input`. */
export function envelopeOf(wanted: Partial<Envelope> = {}, base?: Envelope): Envelope {
  const { rows, bytes } = { ...(base ?? (isServerRuntime() ? SERVER : BROWSER)), ...wanted }
  for (const [name, value] of Object.entries({ rows, bytes })) {
    if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
      throw new TidemarkError('bad-input', `envelope.${name} must be a number of ${name}, or Infinity for no bound.`)
    }
  }
  return { rows, bytes }
}

/** Adds up the rows and bytes that loading these manifests brings. */
function loadOf(manifests: readonly Manifest[]): Envelope {
  const chunks = manifests.flatMap(({ tables }) => tables.flatMap((table) => table.chunks))
  return {
    rows: chunks.reduce((sum, chunk) => sum + chunk.rows, 0),
    bytes: chunks.reduce((sum, chunk) => sum + chunk.rawBytes, 0),
  }
}

/** Answers null where the load fits, else the `limit-exceeded` with its figures. */
export function envelopeFault(envelope: Envelope, manifests: readonly Manifest[]): TidemarkError | null {
  const load = loadOf(manifests)
  if (load.rows <= envelope.rows && load.bytes <= envelope.bytes) return null
  return new TidemarkError(
    'limit-exceeded',
    `What this user may see is beyond the replica's envelope: ${load.rows} rows and ${load.bytes} bytes, where ` +
      `${envelope.rows} rows and ${envelope.bytes} bytes are allowed. Nothing was loaded. Raise it with ` +
      'goOnline({ envelope }) if the device can hold that much, or let the user see less.',
  )
}
