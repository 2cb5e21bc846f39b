import type { Row } from '../../../protocol/index.ts'
import type { PatchStep } from './check-patch.ts'

/** The columns of one unique index, or of a constraint that acts as one. */
export interface UniqueColumns {
  readonly table: string
  readonly columns: readonly string[]
}

const writes = ({ columns }: PatchStep, unique: UniqueColumns) =>
  columns.some(({ name }) => unique.columns.includes(name))

const frees = (step: PatchStep, unique: UniqueColumns) =>
  step.table.id === unique.table &&
  (step.op === 'delete' || step.op === 'move' || (step.op === 'update' && writes(step, unique)))

const takes = (step: PatchStep, unique: UniqueColumns) =>
  step.table.id === unique.table && step.op !== 'delete' && writes(step, unique)

/** Tells whether one row of a patch may take a value that another of its table leaves. */
export function mayExchange(steps: readonly PatchStep[]): boolean {
  const rows = new Map<string, { frees: number; takes: number; all: number }>()
  for (const { op, table } of steps) {
    const of = rows.get(table.id) ?? { frees: 0, takes: 0, all: 0 }
    rows.set(table.id, of)
    of.all += 1
    if (op !== 'insert') of.frees += 1
    if (op !== 'delete') of.takes += 1
  }
  return [...rows.values()].some((of) => of.all > 1 && of.frees > 0 && of.takes > 0)
}

/** Returns the places of steps that write these columns, or may leave what they held. */
export function concerned(steps: readonly PatchStep[], unique: UniqueColumns): number[] {
  return [...steps.keys()].filter((place) => {
    const step = steps[place]
    return step !== undefined && (frees(step, unique) || takes(step, unique))
  })
}

/** Returns the places of steps that may leave a value which an earlier one takes, as far as their bases show. */
export function freedLate(
  steps: readonly PatchStep[],
  unique: UniqueColumns,
  basisOf: (step: PatchStep) => Row,
): number[] {
  const takers: Row[] = []
  const late: number[] = []
  for (const [place, step] of steps.entries()) {
    if (frees(step, unique)) {
      const left = step.op === 'update' ? basisOf(step) : {}
      if (takers.some((taken) => agree(unique, taken, left))) late.push(place)
    }
    if (takes(step, unique) && 'd' in step.row) takers.push(step.row.d)
  }
  return late
}

/** Returns the places of steps that may leave a value. */
export function freeing(steps: readonly PatchStep[], unique: UniqueColumns): number[] {
  return concerned(steps, unique).filter((place) => steps[place] !== undefined && frees(steps[place], unique))
}

/** A column that one of the two lacks may hold the same value. */
const agree = ({ columns }: UniqueColumns, taken: Row, left: Row): boolean =>
  columns.every((name) => !Object.hasOwn(taken, name) || !Object.hasOwn(left, name) || taken[name] === left[name])
