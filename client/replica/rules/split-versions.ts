import type { MarkedChange } from '../../../protocol/index.ts'

/**
 * Divides the changes of a transaction, or a piece of it, at the notes of these versions, in order. The last list is what
 * comes after the last version that is noted there.
 */
export function splitAtVersions(changes: readonly MarkedChange[], versions: readonly number[]): MarkedChange[][] {
  let open: MarkedChange[] = []
  const stretches = [open]
  for (const change of changes) {
    const place = change.o === 'v' ? versions.indexOf(Number(change.k.version), stretches.length - 1) : -1
    if (place === -1) {
      open.push(change)
      continue
    }
    // Versions that nobody noted begin where the next one does.
    while (stretches.length <= place + 1) {
      open = []
      stretches.push(open)
    }
  }
  return stretches
}
