import type { TidemarkError } from '../../protocol/index.ts'

/** The part of the status that writing sets, with what it must know of the replica. */
interface WritingState {
  readonly phase: string
  readonly ready: boolean
  readonly pending: number
  readonly pendingSince: string | null
  readonly failed: number
  readonly pushError: TidemarkError | null
  readonly canUndo: boolean
  readonly canRedo: boolean
}

/** The replica's status, as writing reads and sets it. */
export interface WritingStatus {
  readonly current: WritingState
  set(change: Partial<Omit<WritingState, 'phase' | 'ready'>>): void
  subscribe(listener: (state: WritingState) => void): () => void
}

/** Sets what a look at the outbox found, where it is other than before; `isNew`: even where it is the same. */
export function reportLook(
  status: WritingStatus,
  now: Pick<WritingState, 'pending' | 'pendingSince' | 'failed' | 'canUndo' | 'canRedo'>,
  isNew: boolean,
): void {
  const before = status.current
  const same = (Object.keys(now) as (keyof typeof now)[]).every((name) => before[name] === now[name])
  if (!same || isNew) status.set(now)
}
