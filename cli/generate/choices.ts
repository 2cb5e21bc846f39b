import { TidemarkError } from '../../protocol/errors.ts'

/** The decisions of whoever generates a migration; columns and constraints go by `table.name`. */
export interface Choices {
  readonly renames: readonly { readonly from: string; readonly to: string }[]
  readonly drops: readonly string[]
  readonly keeps: readonly string[]
}

/** Reads the options; each may hold several, with commas between. Throws `bad-input`. */
export function readChoices(values: Readonly<Record<string, string | undefined>>): Choices {
  const list = (text: string | undefined) => (text ?? '').split(',').filter((part) => part !== '')
  const renames = list(values.rename).map((text) => {
    const [from = '', to = '', ...rest] = text.split(':')
    if (from === '' || to === '' || rest.length > 0) {
      throw new TidemarkError(
        'bad-input',
        `--rename ${text} is not of the form issue.title:name, or of tables issue:task.`,
      )
    }
    return { from, to }
  })
  return { renames, drops: list(values.drop), keeps: list(values.keep) }
}
