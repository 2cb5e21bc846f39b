/** Answers a text that two queries share where they ask the same: the same words and equal parameters. */
export function queryKey(text: string, params: readonly unknown[], shape = ''): string {
  return JSON.stringify([shape, text, params], function tagged(this: unknown, name: string, value: unknown): unknown {
    // A date has become text by now, which a text of the same characters must not equal.
    const given = (this as Record<string, unknown>)[name]
    if (given instanceof Date) return { $date: String(value) }
    if (typeof given === 'bigint') return { $bigint: String(given) }
    if (given instanceof Uint8Array) return { $bytes: [...given] }
    if (typeof given === 'number' && !Number.isFinite(given)) return { $number: String(given) }
    return given === undefined ? { $undefined: true } : value
  })
}
