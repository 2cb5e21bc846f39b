import { parseSync } from 'vite'

export interface FoundTest {
  /** Titles of the describes around it and its own, as they stand in the source. */
  readonly title: string
  /** The names between `it` and its call, such as `each` or `skip`, with those of the describes around it. */
  readonly modifiers: readonly string[]
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

const TESTS = ['it', 'test']

/** Answers every test that a source declares, in its order. Throws where the source does not parse. */
export function testsOf(path: string, source: string): FoundTest[] {
  const { program, errors } = parseSync(path, source)
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`)
  const found: FoundTest[] = []
  const visit = (node: Node, titles: readonly string[], modifiers: readonly string[]): void => {
    const call = node.type === 'CallExpression' ? calledAs(field(node, 'callee')) : null
    const [first] = call ? childrenOf(field(node, 'arguments')) : []
    if (call === null || first === undefined || isTable(call, node)) {
      for (const child of childrenOf(Object.values(node))) visit(child, titles, modifiers)
      return
    }
    const ownTitles = [...titles, textOf(first, source)]
    const ownModifiers = [...modifiers, ...call.modifiers]
    if (TESTS.includes(call.name)) found.push({ title: ownTitles.join(' > '), modifiers: ownModifiers })
    for (const child of childrenOf(field(node, 'arguments'))) visit(child, ownTitles, ownModifiers)
  }
  visit(program, [], [])
  return found
}

interface Called {
  readonly name: string
  readonly modifiers: readonly string[]
}

/** Reads a callee such as `it`, `it.skip` or `describe.each(table)`; answers null for anything else. */
function calledAs(callee: unknown): Called | null {
  if (!isNode(callee)) return null
  const name = field(callee, 'name')
  switch (callee.type) {
    case 'Identifier':
      return typeof name === 'string' && [...TESTS, 'describe'].includes(name) ? { name, modifiers: [] } : null
    case 'MemberExpression': {
      const inner = calledAs(field(callee, 'object'))
      const property = field(callee, 'property')
      const modifier = isNode(property) ? field(property, 'name') : null
      return inner && typeof modifier === 'string' ? { ...inner, modifiers: [...inner.modifiers, modifier] } : null
    }
    case 'CallExpression':
      return calledAs(field(callee, 'callee'))
    case 'TaggedTemplateExpression':
      return calledAs(field(callee, 'tag'))
    default:
      return null
  }
}

/** `it.each(table)` only makes the function whose call declares the tests; so do `for`, `skipIf` and `runIf`. */
function isTable({ modifiers }: Called, node: Node): boolean {
  const callee = field(node, 'callee')
  const last = modifiers.at(-1) ?? ''
  return isNode(callee) && callee.type === 'MemberExpression' && ['each', 'for', 'skipIf', 'runIf'].includes(last)
}

function textOf(node: Node, source: string): string {
  const value = field(node, 'value')
  if (node.type === 'Literal' && typeof value === 'string') return value
  const text = source.slice(node.start, node.end)
  return node.type === 'TemplateLiteral' ? text.slice(1, -1) : text
}

function field(node: Node, name: string): unknown {
  return (node as unknown as Readonly<Record<string, unknown>>)[name]
}

function childrenOf(value: unknown): Node[] {
  return Array.isArray(value) ? value.flat().filter(isNode) : []
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}
