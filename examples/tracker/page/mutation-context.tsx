import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import type { MutationRecord, MutationStatus } from 'tidemark/client'
import { type TrackerReplica, useReplica } from './replica-context.ts'
import { type RowMarks, rowMarks } from './row-marks.ts'

/** A mutation, with when this page first saw it in each state; in ms since 1970. */
export interface SeenMutation extends MutationRecord {
  readonly seenAt: Readonly<Partial<Record<MutationStatus, number>>>
}

/** The most mutations that the log shows and that marks cover. */
const SHOWN = 200

interface Mutations {
  readonly records: readonly SeenMutation[]
  readonly marks: RowMarks
}

const NONE: Mutations = { records: [], marks: new Map() }

const MutationContext = createContext<Mutations>(NONE)

/** The newest mutations of this replica, newest first. */
export const useMutations = () => useContext(MutationContext).records

/** The marks of rows that wait for the server, or were refused. */
export const useRowMarks = () => useContext(MutationContext).marks

export function MutationProvider({ children }: { children: ReactNode }) {
  const replica = useReplica()
  const [mutations, setMutations] = useState(NONE)
  useEffect(() => followMutations(replica, setMutations), [replica])
  return <MutationContext value={mutations}>{children}</MutationContext>
}

/** Reads the mutations again whenever the status says that one may have changed; one read at a time, the last one last. */
function followMutations(replica: TrackerReplica, show: (mutations: Mutations) => void): () => void {
  const known = new Map<string, Pick<SeenMutation, 'seenAt' | 'writes'>>()
  let isCurrent = true
  let isReading = false
  let isStale = false
  const read = async () => {
    if (isReading) {
      isStale = true
      return
    }
    isReading = true
    do {
      isStale = false
      const records = await replica.mutations({ limit: SHOWN }).catch(() => null)
      if (!isCurrent || records === null) break
      const nowMs = Date.now()
      const seen = records.map((record) => {
        const before = known.get(record.id)
        const seenAt = { [record.status]: nowMs, ...before?.seenAt }
        // The replica forgets the writes of settled mutations; they are kept here for the log.
        const writes = record.writes.length > 0 ? record.writes : (before?.writes ?? [])
        known.set(record.id, { seenAt, writes })
        return { ...record, seenAt, writes }
      })
      show({ records: seen, marks: rowMarks(seen, replica.failures) })
    } while (isStale)
    isReading = false
  }
  let before = replica.status
  const stop = replica.subscribe((status) => {
    // With nothing waiting, what the server sends changes no mutation.
    const concerns = status.pending > 0 || before.pending !== status.pending || before.failed !== status.failed
    before = status
    if (concerns) void read()
  })
  void read()
  return () => {
    isCurrent = false
    stop()
  }
}
