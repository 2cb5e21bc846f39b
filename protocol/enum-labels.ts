/** Reads the labels out of the statement that makes a type, in their order; null where that makes no enum. */
export function enumLabels(statement: string): string[] | null {
  const list = /^CREATE TYPE .+? AS ENUM \((.*)\)$/s.exec(statement)?.[1]
  if (list === undefined) return null
  return [...list.matchAll(/(E?)'((?:[^']|'')*)'/g)].map(([, escaped, text = '']) => {
    const label = text.replaceAll("''", "'")
    return escaped ? label.replaceAll('\\\\', '\\') : label
  })
}
