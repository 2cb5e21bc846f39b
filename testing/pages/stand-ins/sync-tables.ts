import { table } from 'tidemark/db'
import { plan } from '../sync.ts'

/** What `tidemark build` writes, in short. */
export const tables = { plan: table(plan, { audience: 'all' }) }
