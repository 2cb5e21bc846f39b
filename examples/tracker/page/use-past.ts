import { useCallback } from 'react'
import type { HistoryRefused, PastHandle } from 'tidemark/client'
import { useLiveQuery } from 'tidemark/react'
import { fieldWord, tableName } from './failure-words.ts'
import { useToast } from './toast.tsx'
import { type TrackerReplica, useTracker } from './tracker-replica.ts'

/** Restores or takes back, and says what became of it. */
export function usePast(): (work: (replica: TrackerReplica) => Promise<PastHandle>) => Promise<void> {
  const replica = useTracker()
  const toast = useToast()
  return useCallback(
    async (work) => {
      try {
        const { id, rows } = await work(replica)
        const things = rows.map(({ table, op, columns }) => touchedWords(tableName(table), op, columns))
        toast({ text: id === null ? 'It is so already.' : `Brought back: ${[...new Set(things)].join('; ')}.` })
      } catch (error) {
        toast({ kind: 'error', text: refusalWords(error) })
      }
    },
    [replica, toast],
  )
}

function touchedWords(table: string, op: PastHandle['rows'][number]['op'], columns: readonly string[]): string {
  const name = table.replaceAll('_', ' ')
  if (op === 'update') return columns.map(fieldWord).join(', ')
  return op === 'insert' ? `a deleted ${name}` : `without the ${name}`
}

/** Words why nothing was brought back, in the tracker's own terms. */
function refusalWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name !== 'HistoryRefused') return error.message
  const { reason, rows, message } = error as HistoryRefused
  const fields = [...new Set(rows.flatMap(({ columns }) => columns))].map(fieldWord).join(', ')
  if (reason === 'changed') return `${fields || 'It'} has been changed since, so nothing was taken back.`
  if (reason === 'built-on') {
    const names = [...new Set(rows.map(({ table }) => tableName(table).replaceAll('_', ' ')))].join(' and ')
    return `Others have added to it (${rows.length} × ${names}), so nothing was taken back.`
  }
  return message
}

interface PersonNameRow {
  user_id: string
  name: string
}

const NAMES = 'SELECT user_id::text AS user_id, max(display_name) AS name FROM membership GROUP BY user_id'

/** Names the user of a change; a change without one was made by the server. */
export function useNames(): (user: string | null) => string {
  const { rows } = useLiveQuery<PersonNameRow>(NAMES)
  const names = new Map(rows?.map(({ user_id, name }) => [user_id, name]))
  return (user) => (user === null ? 'The server' : (names.get(user) ?? 'Former member'))
}
