import { parseArgs } from 'node:util'

/** One option of a command; a text option may also come from the environment. */
export interface OptionSpec {
  readonly name: string
  /** The placeholder of the value in help, e.g. `<port>`; absent for a switch. */
  readonly value?: string
  /** Environment variable read when the option is not given. */
  readonly env?: string
  readonly help: string
}

/** The database of the commands that migrate an app's (`withAppDatabase`). */
export const OWNERS_DATABASE: OptionSpec = {
  name: 'database-url',
  value: '<url>',
  env: 'DATABASE_URL',
  help: 'the database, as owner of its tables; default: that of tidemark dev',
}

export interface ArgumentSpec {
  readonly name: string
  readonly help: string
  readonly required: boolean
}

/** The arguments of a call: values by option name, absent ones undefined. */
export interface Invocation {
  readonly argument: string | undefined
  readonly values: Readonly<Record<string, string | undefined>>
  readonly switches: ReadonlySet<string>
}

/** A subcommand; `run` returns the exit code, and throws a TidemarkError where it fails. */
export interface Command {
  readonly name: string
  readonly summary: string
  /** Paragraphs below the usage line in its help. */
  readonly details: readonly string[]
  readonly argument: ArgumentSpec | null
  readonly options: readonly OptionSpec[]
  readonly run: (invocation: Invocation) => Promise<number>
}

export type Parsed =
  | { readonly kind: 'run'; readonly invocation: Invocation }
  | { readonly kind: 'help' }
  | { readonly kind: 'misused'; readonly problem: string }

/** Reads a command's own arguments; an unknown or misplaced word is `misused`, and the problem names it. */
export function parseInvocation(
  command: Command,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Parsed {
  const options = Object.fromEntries(
    command.options.map((option) => [option.name, { type: option.value ? ('string' as const) : ('boolean' as const) }]),
  )
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Record<string, string | undefined> = {}
  for (const option of command.options) {
    const fromEnvironment = option.env === undefined ? undefined : environment[option.env]
    if (option.value !== undefined && fromEnvironment) values[option.name] = fromEnvironment
  }
  const switches = new Set<string>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      positionals.push(token.value)
      continue
    }
    if (token.name === 'help') return { kind: 'help' }
    const option = command.options.find((candidate) => candidate.name === token.name)
    if (option === undefined) return misused(`unknown option ${token.rawName}`)
    if (option.value === undefined) {
      if (token.value !== undefined) return misused(`${token.rawName} takes no value`)
      switches.add(option.name)
    } else if (token.value === undefined || token.value === '') {
      return misused(`${token.rawName} needs a value: ${token.rawName} ${option.value}`)
    } else {
      values[option.name] = token.value
    }
  }
  const [argument, extra] = positionals
  if (command.argument === null && argument !== undefined)
    return misused(`${argument} is one argument too many: this command takes none`)
  if (extra !== undefined) return misused(`${extra} is one argument too many`)
  if (command.argument?.required && argument === undefined) return misused(`${command.argument.name} is missing`)
  return { kind: 'run', invocation: { argument, values, switches } }
}

function misused(problem: string): Parsed {
  return { kind: 'misused', problem }
}

/** Returns the first line of a command's help, also shown when it is misused. */
export function usageLine(command: Command): string {
  const argument =
    command.argument === null
      ? ''
      : command.argument.required
        ? ` ${command.argument.name}`
        : ` [${command.argument.name}]`
  return `Usage: tidemark ${command.name}${argument}${command.options.length > 0 ? ' [options]' : ''}`
}

/** Returns the whole help text of a command. */
export function commandHelp(command: Command): string {
  const rows: [string, string][] = command.options.map((option) => [
    `--${option.name}${option.value ? ` ${option.value}` : ''}`,
    option.env ? `${option.help} (or ${option.env})` : option.help,
  ])
  rows.push(['-h, --help', 'show this'])
  const parts = [`${usageLine(command)}\n\n${command.summary}`, ...command.details]
  if (command.argument) parts.push(`Argument:\n${table([[command.argument.name, command.argument.help]])}`)
  parts.push(`Options:\n${table(rows)}`)
  return parts.join('\n\n')
}

/** Returns the help of the whole program. */
export function programHelp(commands: readonly Command[]): string {
  return [
    'Usage: tidemark <command> [options]\n\nA live Postgres replica in every browser.',
    `Commands:\n${table(commands.map((command) => [command.name, command.summary]))}`,
    `Options:\n${table([
      ['-h, --help', 'show this; after a command, its own help'],
      ['-v, --version', 'show the version'],
    ])}`,
  ].join('\n\n')
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
