import { useEffect, useState } from 'react'
import { openReplica } from 'tidemark/client'
import { TidemarkError } from 'tidemark/protocol'
import { sync } from '../sync.ts'
import type { TrackerReplica } from './replica-context.ts'
import { device, fetchToken } from './session.ts'

declare global {
  interface Window {
    replica?: TrackerReplica
  }
}

export interface OpenFault {
  readonly kind: string
  readonly message: string
}

export interface OpenedReplica {
  readonly replica: TrackerReplica | null
  readonly fault: OpenFault | null
  /** Progress of the opening, on the way to `ready`. */
  readonly progress: number
}

const OPENING: OpenedReplica = { replica: null, fault: null, progress: 0 }

/** A user can have only one replica open: the next waits until the one before has closed. */
let previous: Promise<unknown> = Promise.resolve()

/** A tab checks this often whether the tab that has the replica is gone. */
const TAKE_OVER_MS = 2_000

/** Opens the user's replica while mounted; another `attempt` opens it anew, and so does the end of a tab that has it. */
export function useOpenReplica(userId: string, attempt: number): OpenedReplica {
  const [opened, setOpened] = useState(OPENING)
  const [lookedAgain, setLookedAgain] = useState(0)

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt opens again.
  useEffect(() => {
    let isCurrent = true
    let timer: ReturnType<typeof setTimeout> | undefined
    setOpened((before) => (before.fault?.kind === 'already-open' ? before : OPENING))
    const opening = previous.then(() => {
      if (!isCurrent) return null
      const token = () => fetchToken(userId)
      const storage = device === null ? {} : { storage: storageOf(device) }
      const onOpening = (progress: number) => isCurrent && setOpened({ ...OPENING, progress })
      return openReplica({ url: window.location.origin, user: userId, token, sync, onOpening, ...storage })
    })
    opening
      .then((replica) => {
        if (replica === null || !isCurrent) return
        // For use in the console: `await replica.db.query('SELECT count(*) FROM issue')`.
        window.replica = replica
        setOpened({ replica, fault: null, progress: replica.status.progress })
      })
      .catch((error: unknown) => {
        if (!isCurrent) return
        const fault = toFault(error)
        setOpened({ replica: null, fault, progress: 0 })
        if (fault.kind === 'already-open') timer = setTimeout(() => setLookedAgain((count) => count + 1), TAKE_OVER_MS)
      })
    return () => {
      isCurrent = false
      clearTimeout(timer)
      previous = opening.then((replica) => replica?.close()).catch(() => {})
    }
  }, [userId, attempt, lookedAgain])

  return opened
}

/** Names a storage of the default kind under another name. */
function storageOf(name: string): string {
  const scheme = typeof navigator.storage?.getDirectory === 'function' ? 'opfs-ahp' : 'idb'
  return `${scheme}://tracker-${name}`
}

function toFault(error: unknown): OpenFault {
  if (error instanceof TidemarkError) return { kind: error.kind, message: error.message }
  return { kind: 'internal', message: error instanceof Error ? error.message : String(error) }
}
