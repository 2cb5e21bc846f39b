/** Words that cannot name a constant of the module, because it or the language has taken them. */
// biome-ignore format: one list
const TAKEN = new Set([
  'pg', 'sql', 'table', 'tables', 'break', 'case', 'catch', 'class', 'const', 'continue', 'debugger', 'default', 'delete', 'do', 'else',
  'enum', 'export', 'extends', 'false', 'finally', 'for', 'function', 'if', 'import', 'in', 'instanceof', 'new', 'null', 'return', 'super',
  'switch', 'this', 'throw', 'true', 'try', 'typeof', 'var', 'void', 'while', 'with', 'let', 'static', 'yield', 'await', 'async', 'of',
  'implements', 'interface', 'package', 'private', 'protected', 'public', 'undefined', 'arguments', 'eval',
])

/** Writes a text as TypeScript. */
export const quote = (text: string) => `'${text.replaceAll(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}'`

/** The names of a generated module, and the declarations that its tables share, in the order of their first use. */
export class NameBook {
  readonly #used = new Set<string>()
  readonly #shared = new Map<string, { readonly name: string; readonly text: string; readonly ofLabels: boolean }>()

  /** Keeps a type's name from being that of an enum's labels. */
  takeType(name: string): void {
    this.#used.add(lowerFirst(name))
  }

  /** Returns a free constant's name like that of a class. */
  constant(className: string, ending = 'Table'): string {
    const plain = lowerFirst(className)
    let name = plain
    for (let count = 1; TAKEN.has(name) || this.#used.has(name); count += 1)
      name = `${plain}${ending}${count === 1 ? '' : count}`
    this.#used.add(name)
    return name
  }

  /** Returns the function that makes tables of a schema; the default schema's where none is given. */
  tableFunction(schema: string | undefined): string {
    return schema === undefined || schema === 'public' ? 'pg.pgTable' : `${this.#schema(schema)}.table`
  }

  /** Returns the function that makes columns of an enum type, which is declared with a type of its labels. */
  enumType(schema: string | undefined, type: string, labels: readonly string[]): string {
    const text = () => {
      const make = schema === undefined || schema === 'public' ? 'pg.pgEnum' : `${this.#schema(schema)}.enum`
      return `${make}(${quote(type)}, [${labels.map(quote).join(', ')}])`
    }
    return this.#declare(`enum ${schema ?? ''} ${type}`, camelCase(type), 'Enum', text, true)
  }

  /** Returns the function that makes columns of a type that drizzle does not have; its values are `data`. */
  customType(name: string, type: string, data = type === 'bytea' ? 'Uint8Array' : 'string'): string {
    return this.#declare(`type ${type}`, name, 'Column', () => {
      return `pg.customType<{ data: ${data} }>({ dataType: () => ${quote(type)} })`
    })
  }

  declarations(): string {
    const declared = [...this.#shared.values()].map(({ name, text, ofLabels }) => {
      const labels = `export type ${upperFirst(name)} = (typeof ${name}.enumValues)[number]\n`
      return `export const ${name} = ${text}\n${ofLabels ? labels : ''}\n`
    })
    return declared.join('')
  }

  #schema(schema: string): string {
    return this.#declare(`schema ${schema}`, `${camelCase(schema)}Schema`, 'Schema', () => {
      return `pg.pgSchema(${quote(schema)})`
    })
  }

  #declare(what: string, wanted: string, ending: string, text: () => string, ofLabels = false): string {
    const known = this.#shared.get(what)
    if (known) return known.name
    // The names that the declaration itself needs are declared before it.
    const declared = text()
    const name = this.constant(wanted, ending)
    this.#shared.set(what, { name, text: declared, ofLabels })
    return name
  }
}

/** Makes a name with words apart one word with capitals. */
export const camelCase = (name: string) =>
  name.replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_, letter: string) => letter.toUpperCase())

/** A class's name as that of a value: an abbreviation at its head as a whole. */
const lowerFirst = (name: string) => name.replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (head) => head.toLowerCase())
export const upperFirst = (name: string) => name.charAt(0).toUpperCase() + name.slice(1)
