import { noteNotices, noticesOf } from './error-notices.ts'

/** An error of no class of ours as it crosses between threads: its own fields stay, SQLSTATE among them. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly fields: Readonly<Record<string, string | number | boolean | null>>
  /** What its statement gave as notices before it failed. */
  readonly notices: readonly object[]
}

const isPlain = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value)

/** Something thrown may have no text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'Something that has no text was thrown.'
  }
}

export function encodePlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: textOf(error), fields: {}, notices: [] }
  const fields = Object.entries(error).filter(
    ([name]) => !['name', 'message', 'stack', 'cause', 'query'].includes(name),
  )
  return {
    name: error.name,
    message: error.message,
    fields: Object.fromEntries(fields.filter((field): field is [string, string] => isPlain(field[1]))),
    notices: noticesOf(error),
  }
}

export function decodePlainError(
  { name, message, fields, notices }: PlainError,
  options?: { readonly cause: unknown },
): Error {
  const error = Object.assign(new Error(message, options), fields)
  error.name = name
  noteNotices(error, notices)
  return error
}
