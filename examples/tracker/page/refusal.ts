import { ActionRefusal } from 'tidemark/db'

/** Returns the code with which an action refused; null for any other error. */
export function refusalCode(error: unknown): string | null {
  return error instanceof ActionRefusal ? error.code : null
}
