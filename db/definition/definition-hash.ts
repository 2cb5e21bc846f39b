import type { Definition } from '../../protocol/index.ts'
import { sha256Hex } from '../sha256-hex.ts'

/**
 * Hashes the definition's content by SHA-256, in hex; equal definitions hash alike because they are built in one order.
 *
 * `since` is no part of it, because the app's bundle does not know it.
 */
export function definitionHash({ types, tables }: Definition): Promise<string> {
  return sha256Hex(JSON.stringify({ types, tables: tables.map(({ since: _, ...table }) => table) }))
}
