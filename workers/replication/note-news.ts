import type { HealthNews } from '../contracts.ts'
import type { OperationsStore } from './operations-store.ts'

/** Keeps of what others report what operators are shown: faults of pushes, and snapshots that were built or not. */
export function noteNews(store: OperationsStore, { faults = {}, build }: HealthNews, nowMs: number): void {
  const kinds = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`)
  if (kinds.length > 0)
    store.noteEvent({ atMs: nowMs, source: 'push', text: `Pushes that failed as a whole: ${kinds.join(', ')}.` })
  if (build === undefined) return
  const { audience, ms, fault } = build
  store.putSnapshot({ audience, atMs: nowMs, ms, fault, isDropped: false })
  if (fault !== null)
    store.noteEvent({
      atMs: nowMs,
      source: 'snapshot',
      text: `The snapshot of ${audience} could not be built: ${fault}.`,
    })
}
