/**
 * Makes a module of a block of a page, which may be a piece of one: what the page leaves out (`…`) is anything, a piece of an
 * object is put into one, and names that the page has from elsewhere are imported: `known` has what `from` exports, by the name
 * on the page.
 */
export function moduleOfBlock(text: string, known: ReadonlyMap<string, string>, from: string): string {
  const whole = asStatements(withoutGaps(text))
  const own = withoutComments(whole)
  const missing = [...known].filter(([name]) => isUsed(own, name) && !isDeclared(own, name))
  const names = missing.map(([name, exported]) => (exported.endsWith(name) ? exported : `${exported} as ${name}`))
  const imports = names.length > 0 ? `import { ${names.join(', ')} } from '${from}'` : ''
  // On the first line, so that the lines of what the compiler says are those of the block, and one.
  return `${imports}\n${whole}\nexport {}\n`
}

const withoutComments = (text: string) => text.replaceAll(/^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm, '')

function withoutGaps(text: string): string {
  return text
    .replaceAll(/^\s*…,$/gm, '...left,')
    .replaceAll(/^\s*…$/gm, '')
    .replaceAll(/=> \{ … \}/g, '=> {}')
    .replaceAll(/\{ … \}/g, '{ ...left }')
    .replaceAll(/\{ …,/g, '{ ...left,')
    .replaceAll(/: …,/g, ': left,')
    .replaceAll(/, …\)/g, ', left)')
}

/** Puts members of an object, from the first line of such on, into one. */
function asStatements(text: string): string {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => /^\s*\w+: \w+\(/.test(line))
  // A member within an object has the object's first line above it.
  if (first === -1 || lines.slice(0, first).some((line) => /[{([]\s*$/.test(line))) return text
  const before = lines.slice(0, first).join('\n')
  return `${before}${first > 0 ? '\n' : ''}export const piece = { ${lines.slice(first).join('\n')} }`
}

/** Tells whether a block goes on with a variable that this earlier one declares. */
export function goesOn(text: string, earlier: string): boolean {
  const variables = [...earlier.matchAll(/^let (\w+)/gm)].map(([, name = '']) => name)
  return variables.some((name) => isUsed(text, name) && !isDeclared(text, name))
}

const isUsed = (text: string, name: string) =>
  new RegExp(String.raw`(?<![\w$'"])(?<!(?<!\.\.)\.)${name}(?![\w$'"])(?!\??:(?! \())`).test(text)

function isDeclared(text: string, name: string): boolean {
  const declared = String.raw`\b(const|let|var|function|class|type|interface) ${name}\b`
  const destructured = String.raw`^\s*(export )?const [{[][^=]*\b${name}\b[^=]*[}\]] =`
  const imported = String.raw`^import [^'"]*\b${name}\b[^'"]* from`
  return new RegExp(`${declared}|${destructured}|${imported}`, 'm').test(text)
}
