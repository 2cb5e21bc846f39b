import type { Definition } from '../../protocol/index.ts'

/** SHA-256 of the definition's content, hex; equal definitions hash alike because they are built in one order. */
export async function definitionHash(definition: Definition): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(definition))
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
