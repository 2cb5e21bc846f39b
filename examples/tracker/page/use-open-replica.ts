import { useEffect, useState } from 'react'
import { openReplica, type Replica } from 'tidemark/client'
import { TidemarkError } from 'tidemark/protocol'
import { sync } from '../sync.ts'
import { fetchToken } from './session.ts'

declare global {
  interface Window {
    replica?: Replica
  }
}

export interface OpenFault {
  readonly kind: string
  readonly message: string
}

export interface OpenedReplica {
  readonly replica: Replica | null
  readonly fault: OpenFault | null
}

const OPENING: OpenedReplica = { replica: null, fault: null }

/** Only one replica of a user can be open: the next waits until the one before has closed. */
let previous: Promise<unknown> = Promise.resolve()

/** Opens the user's replica while mounted; another `attempt` opens it anew. */
export function useOpenReplica(userId: string, attempt: number): OpenedReplica {
  const [opened, setOpened] = useState(OPENING)

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt opens again.
  useEffect(() => {
    let isCurrent = true
    setOpened(OPENING)
    const show = (next: OpenedReplica) => isCurrent && setOpened(next)
    const opening = previous.then(() => {
      if (!isCurrent) return null
      return openReplica({ url: window.location.origin, user: userId, token: () => fetchToken(userId), sync })
    })
    opening
      .then((replica) => {
        if (replica === null) return
        // For whoever opens the console: `await replica.db.query('SELECT count(*) FROM issue')`.
        window.replica = replica
        show({ replica, fault: null })
      })
      .catch((error: unknown) => show({ replica: null, fault: toFault(error) }))
    return () => {
      isCurrent = false
      previous = opening.then((replica) => replica?.close()).catch(() => {})
    }
  }, [userId, attempt])

  return opened
}

function toFault(error: unknown): OpenFault {
  if (error instanceof TidemarkError) return { kind: error.kind, message: error.message }
  return { kind: 'internal', message: error instanceof Error ? error.message : String(error) }
}
