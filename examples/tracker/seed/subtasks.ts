import type { IssueDraft } from './issue-draft.ts'
import type { Random } from './random.ts'

const LOOK_AHEAD = 40

/** Makes some of the issues that came soon after another one in its project parts of it; the parts of a closed one were closed first. */
export function seedSubtasks(random: Random, drafts: readonly IssueDraft[]): void {
  for (const project of Map.groupBy(drafts, ({ row }) => row.project_id).values()) {
    const taken = new Set<string>()
    for (const [index, whole] of project.entries()) {
      if (taken.has(whole.id) || !random.chance(whole.closedMs === null ? 0.12 : 0.03)) continue
      const fitting = project.slice(index + 1, index + LOOK_AHEAD).filter((part) => {
        const isInTime = whole.closedMs === null || (part.closedMs !== null && part.closedMs < whole.closedMs)
        return isInTime && !taken.has(part.id)
      })
      for (const part of fitting.slice(0, 1 + random.below(4))) {
        part.row.parent_id = whole.id
        taken.add(part.id)
        taken.add(whole.id)
      }
    }
  }
}
