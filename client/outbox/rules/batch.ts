/** A frozen mutation as it is pushed. */
export interface Frozen {
  readonly counter: number
  /** JSON, byte-equal at every sending. */
  readonly request: string
}

/** The mutations of one push: a prefix within both bounds, and never none of what is given. */
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
