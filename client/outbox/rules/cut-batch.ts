/** A frozen mutation as it is pushed. */
export interface Frozen {
  readonly counter: number
  /** JSON, byte-equal at every sending. */
  readonly request: string
}

/** Answers the mutations of one push: a prefix within both bounds, which holds at least one where there is any. */
export function cutBatch<Item extends Frozen>(
  frozen: readonly Item[],
  bounds: { readonly mutations: number; readonly chars: number },
): readonly Item[] {
  let chars = 0
  const end = frozen.findIndex(({ request }, index) => {
    chars += request.length
    return index > 0 && (index >= bounds.mutations || chars > bounds.chars)
  })
  return end === -1 ? frozen : frozen.slice(0, end)
}
