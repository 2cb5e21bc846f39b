/** Where one of a storage's databases lies. */
export interface Place {
  /** As a storage's name. */
  readonly name: string
  /** When it was begun, in ms; 0 of the first, which has the storage's own name. */
  readonly begun: number
}

/** Where the next database of a storage is to lie. */
export const nextPlace = (storage: string, nowMs: number): Place => ({ name: `${storage}.${nowMs}`, begun: nowMs })

/** The databases of a storage among these names, oldest first: the last is the one in force, the others were put aside. */
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

/** Those put aside so long ago that they go: each since the one after it was begun. */
export function outlived(places: readonly Place[], nowMs: number, keptMs: number): Place[] {
  return places.filter((_, index) => {
    const next = places[index + 1]
    return next !== undefined && nowMs - next.begun > keptMs
  })
}
