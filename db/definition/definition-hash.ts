import type { Definition } from '../../protocol/index.ts'
import { sha256Hex } from '../sha256-hex.ts'

/** SHA-256 of the definition's content, hex; equal definitions hash alike because they are built in one order. */
export const definitionHash = (definition: Definition): Promise<string> => sha256Hex(JSON.stringify(definition))
