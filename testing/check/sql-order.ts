import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * A bare name in ORDER BY means the value selected under it; where that is a text, 10 comes before 9. So a statement
 * that selects `name::text` names the table in ORDER BY.
 */
const AS_TEXT = /\b(\w+)::text\b(?!\s+AS\b)/gi
const AS_ITS_NAME = /::text\s+AS\s+(\w+)/gi
const ORDER = /\bORDER BY\s+([^)`]*)/gi
/** Statements stand in template texts and in files of SQL. */
const TEMPLATE = /`[^`]*`/g

const files = execFileSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', 'db', 'workers', 'client', 'cli', 'migrations'],
  {
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((name) => /\.(ts|sql)$/.test(name) && !/\.test\.ts$/.test(name))

const namesIn = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, name = '']) => name.toLowerCase())

for (const file of files) {
  const source = readFileSync(file, 'utf8')
  for (const statement of file.endsWith('.sql') ? source.split(';') : (source.match(TEMPLATE) ?? [])) {
    // An ORDER BY inside a function call or a subquery belongs to that, not to the outer SELECT.
    const outer = withoutParentheses(statement)
    const texts = new Set([...namesIn(outer, AS_TEXT), ...namesIn(outer, AS_ITS_NAME)])
    for (const [, order = ''] of outer.matchAll(ORDER)) {
      const bare = order.split(',').map((part) => /^\s*(\w+)\b(?!\s*[.(])/.exec(part)?.[1]?.toLowerCase() ?? '')
      const found = bare.find((name) => texts.has(name))
      if (found === undefined) continue
      console.log(`${file}: ORDER BY ${found} sorts its text, which the statement selects: name the table (t.${found})`)
      process.exitCode = 1
    }
  }
}

function withoutParentheses(text: string): string {
  for (let before = text; ; before = text) {
    text = before.replaceAll(/\([^()]*\)/g, '()')
    if (text === before) return text
  }
}
