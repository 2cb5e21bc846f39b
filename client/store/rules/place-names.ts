/** The place of one of a storage's databases. */
export interface Place {
  /** It has the form of a storage's name. */
  readonly name: string
  /** The time at which it was begun, in ms; 0 for the first, which has the storage's own name. */
  readonly begun: number
}

/** Answers the place for the next database of a storage. */
export const nextPlace = (storage: string, nowMs: number): Place => ({ name: `${storage}.${nowMs}`, begun: nowMs })

/** Finds a storage's databases among these names, oldest first: the last is in force, the others were put aside. */
export function placesAmong(storage: string, names: Iterable<string>): Place[] {
  const places: Place[] = []
  for (const name of names) {
    if (name === storage) places.push({ name, begun: 0 })
    else if (name.startsWith(`${storage}.`)) {
      const begun = name.slice(storage.length + 1)
      if (/^\d{13,}$/.test(begun)) places.push({ name, begun: Number(begun) })
    }
  }
  return places.sort((a, b) => a.begun - b.begun)
}

/** Answers the databases put aside longer than `keptMs` ago: each was when the one after it was begun. */
export function outlived(places: readonly Place[], nowMs: number, keptMs: number): Place[] {
  return places.filter((_, index) => {
    const next = places[index + 1]
    return next !== undefined && nowMs - next.begun > keptMs
  })
}

/** Names a deployment as a folder may be named: by host, port and base path of its address. */
export const deploymentName = (url: string): string =>
  url
    .replace(/^https?:\/\//, '')
    .replace(/[^a-z0-9.-]+/gi, '-')
    .replace(/-+$/, '')
