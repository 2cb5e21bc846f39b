import { type Hello, LIMITS, type Lsn, type RehydrateReason } from '../../../protocol/index.ts'

/** The server's state when a client says hello. */
export interface ServerState {
  readonly epoch: string
  readonly definitionVersion: number
  readonly definitionHash: string
  /** History at or below it is pruned. */
  readonly floor: Lsn
  readonly audiences: readonly string[]
  /** True where an operator wants the client to load everything anew. */
  readonly isToLoad?: boolean
}

export type Resume =
  | { readonly resume: 'stream'; readonly reason: null; readonly from: Lsn }
  | { readonly resume: 'hydrate'; readonly reason: RehydrateReason; readonly from: null }

export function speaksOurProtocol(hello: Hello): boolean {
  return hello.protocol === LIMITS.protocolVersion
}

/** Decides whether a client goes on from its cursor or hydrates, and why. Rule DIS-R4. */
export function decideResume(hello: Hello, server: ServerState): Resume {
  const hydrate = (reason: RehydrateReason): Resume => ({ resume: 'hydrate', reason, from: null })
  if (hello.epoch === null || hello.cursor === null || hello.definitionHash === null) return hydrate('new')
  if (hello.epoch !== server.epoch) return hydrate('epoch')
  // The same content in a later version does not suffice: changes under one between may never have been captured.
  if (hello.definitionVersion !== server.definitionVersion || hello.definitionHash !== server.definitionHash)
    return hydrate('definition')
  if (hello.cursor < server.floor) return hydrate('retention')
  if (server.isToLoad) return hydrate('diverged')
  const held = new Set(hello.audiences)
  if (server.audiences.some((audience) => !held.has(audience))) return hydrate('audience-granted')
  return { resume: 'stream', reason: null, from: hello.cursor }
}

/** Answers the reason why a stream cannot begin here; null when it can. */
export function refuseStream(
  stream: { readonly epoch: string; readonly from: Lsn },
  server: Pick<ServerState, 'epoch' | 'floor'>,
): RehydrateReason | null {
  if (stream.epoch !== server.epoch) return 'epoch'
  return stream.from < server.floor ? 'retention' : null
}
