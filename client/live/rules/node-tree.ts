/** A node of a query as Postgres keeps it: its kind, and its fields by name. */
export interface TreeNode {
  readonly kind: string
  readonly fields: Readonly<Record<string, TreeValue>>
}

/** `null` for what is not there, a string for a word, a list, or a node. The bytes of a constant are a list of words. */
export type TreeValue = null | string | TreeNode | readonly TreeValue[]

/** Opening and closing of nodes and lists, `:field`, a quoted name, or a word; a backslash keeps the next character. */
const TOKEN = /[{}()[\]]|"(?:[^"\\]|\\[\s\S])*"|(?:[^\s{}()[\]\\]|\\[\s\S])+/g

/** Reads a `pg_node_tree` as text. Throws where it has another form. */
export function parseNodeTree(text: string): TreeValue {
  const tokens = text.match(TOKEN) ?? []
  let at = 0
  const next = (): string => {
    const token = tokens[at++]
    if (token === undefined) throw new Error('A node tree ends too early.')
    return token
  }
  const value = (): TreeValue => {
    const token = next()
    if (token === '{') return node()
    if (token === '(') return list(')')
    if (token === '[') return list(']')
    return token === '<>' ? null : unescaped(token)
  }
  const list = (end: string): TreeValue[] => {
    const items: TreeValue[] = []
    while (tokens[at] !== end) items.push(value())
    at++
    return items
  }
  const node = (): TreeNode => {
    const kind = next()
    const fields: Record<string, TreeValue> = {}
    while (tokens[at] !== '}') {
      const field = next()
      if (!field.startsWith(':')) throw new Error(`A node tree has no field where ${kind} has one.`)
      const values: TreeValue[] = []
      while (tokens[at] !== '}' && !tokens[at]?.startsWith(':')) values.push(value())
      fields[field.slice(1)] = values.length === 1 ? (values[0] ?? null) : values
    }
    at++
    return { kind, fields }
  }
  return value()
}

function unescaped(token: string): string {
  const bare = token.startsWith('"') && token.endsWith('"') && token.length > 1 ? token.slice(1, -1) : token
  return bare.replace(/\\([\s\S])/g, '$1')
}

export const isNode = (value: TreeValue | undefined, kind?: string): value is TreeNode =>
  value !== null && typeof value === 'object' && 'kind' in value && (kind === undefined || value.kind === kind)
