/** What a statement answered: Postgres' own texts, null where there is no value. */
export interface StatementResult {
  /** The command's name as Postgres tells it, e.g. `UPDATE`. */
  readonly command: string
  /** How many rows it met; null where it counts none. */
  readonly count: number | null
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/** Formats rows as an aligned table, and what has no columns as the command with its count. */
export function formatResult({ command, count, columns, rows }: StatementResult): string {
  if (columns.length === 0) return count === null ? command : `${command} ${count}`
  const cells = [columns, ...rows.map((row) => row.map(oneLine))]
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => [...(row[column] ?? '')].length)))
  const lines = cells.map((row) => row.map((cell, column) => padEnd(cell, widths[column] ?? 0)).join(' │ '))
  const [header = '', ...body] = lines.map((line) => line.trimEnd())
  const rule = widths.map((width) => '─'.repeat(width)).join('─┼─')
  return [header, rule, ...body, `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`].join('\n')
}

/** Answers the rows as objects by column; of columns that share a name the last one stands. */
export function toObjects({ columns, rows }: StatementResult): Record<string, string | null>[] {
  return rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index] ?? null])))
}

/** A line break or a control character would break the table, or the terminal. */
function oneLine(cell: string | null): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is meant.
  return (cell ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => ESCAPES[character] ?? '�')
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '↵', '\t': ' ', '\r': '' }

const padEnd = (cell: string, width: number) => cell + ' '.repeat(Math.max(0, width - [...cell].length))
