import { ActionRefusal } from 'tidemark/db'

/** The code with which an action refused, if that is what an error is. */
export function refusalCode(error: unknown): string | null {
  return error instanceof ActionRefusal ? error.code : null
}
