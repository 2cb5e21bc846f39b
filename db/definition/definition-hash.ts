import type { Definition } from '../../protocol/index.ts'
import { sha256Hex } from '../sha256-hex.ts'

/**
 * SHA-256 of the definition's content, hex; equal definitions hash alike because they are built in one order.
 *
 * Since when a table is as it is, is no part of it: the app's bundle does not know.
 */
export function definitionHash({ types, tables }: Definition): Promise<string> {
  return sha256Hex(JSON.stringify({ types, tables: tables.map(({ since: _, ...table }) => table) }))
}
