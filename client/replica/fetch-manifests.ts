import {
  type DefinitionAnswer,
  definitionAnswerSchema,
  type Lsn,
  type Manifest,
  manifestSchema,
  parsePgSnapshot,
  TidemarkError,
} from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { snapshotPath } from './chunk-download.ts'
import { compareSnapshots } from './unseen-changes.ts'

/** The facts about the server by which a hydration goes. */
export interface HydrationTarget {
  /** Null after the server said on an open socket to begin anew: the snapshots then name the epoch. */
  readonly epoch: string | null
  readonly definitionHash: string | null
  readonly definitionVersion: number
  readonly head: Lsn
  readonly audiences: readonly string[]
}

/** The server that is asked, and what it said of itself. */
export interface FetchOptions {
  readonly http: Http
  readonly welcome: HydrationTarget
  readonly signal: AbortSignal
}

/** Fetches a manifest for each audience, of one history, in the order of their snapshots. Throws `unavailable`. */
export async function fetchManifests({ http, welcome, signal }: FetchOptions): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  // One after another, because each may make the server read the database.
  for (const audience of welcome.audiences) {
    const parsed = manifestSchema.safeParse(await http.json(snapshotPath(audience), signal))
    if (!parsed.success) {
      throw new TidemarkError('unavailable', 'The answer to a manifest is not one: a captive portal or a proxy?', {
        cause: parsed.error,
      })
    }
    manifests.push(parsed.data)
  }
  const epoch = welcome.epoch ?? manifests[0]?.epoch
  const fits = (manifest: Manifest, index: number) =>
    manifest.epoch === epoch &&
    manifest.definitionHash === manifests[0]?.definitionHash &&
    manifest.definitionVersion === manifests[0]?.definitionVersion &&
    manifest.audience === welcome.audiences[index]
  if (!manifests.every(fits)) {
    throw new TidemarkError('unavailable', 'The snapshots are of different histories just now; trying again.')
  }
  return manifests.sort((a, b) => compareSnapshots(parsePgSnapshot(a.snapshot), parsePgSnapshot(b.snapshot)))
}

/** Fetches the definition for a user who may see nothing, to whom no snapshot names it. Throws `unavailable`. */
export async function fetchDefinition({ http, welcome, signal }: FetchOptions): Promise<DefinitionAnswer> {
  const parsed = definitionAnswerSchema.safeParse(await http.json('/sync/definition', signal))
  if (!parsed.success) {
    throw new TidemarkError('unavailable', 'The answer to /sync/definition is not from a Tidemark server.', {
      cause: parsed.error,
    })
  }
  const { epoch, definitionHash } = parsed.data
  const isOfWelcome = (said: string | null, is: string) => said === null || said === is
  if (!isOfWelcome(welcome.epoch, epoch) || !isOfWelcome(welcome.definitionHash, definitionHash))
    throw new TidemarkError('unavailable', 'The definition is being changed just now; trying again.')
  return parsed.data
}
