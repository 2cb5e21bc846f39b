import { readDefinitionInForce } from '../../db/index.ts'
import {
  type LeasesAnswer,
  LIMITS,
  leasedSequences,
  leasesAnswerSchema,
  leasesRequestSchema,
  TidemarkError,
} from '../../protocol/index.ts'
import type { Session } from '../contracts.ts'
import { withDatabase } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import { checkProtocol } from './rules/parse-mutation.ts'

/**
 * Leases keys to a client, of sequences by which tables that it may write are numbered; of others it gets none.
 *
 * Throws `bad-input`, `upgrade-required`, and `forbidden` for another user's client.
 */
export async function answerLeases(
  env: DatabaseEnv,
  session: Pick<Session, 'userId'>,
  body: unknown,
): Promise<LeasesAnswer> {
  checkProtocol(body)
  const { data } = leasesRequestSchema.safeParse(body)
  if (!data) throw new TidemarkError('bad-input', 'This asks for no keys: { protocol, client, wanted }.')
  return withDatabase(
    env,
    async ({ query }) => {
      const inForce = await readDefinitionInForce(query)
      const known = inForce ? leasedSequences(inForce.definition) : new Set()
      const wanted = Object.entries(data.wanted).filter(([sequence]) => known.has(sequence))
      const [row] = await query('SELECT tidemark.lease_keys($1, $2, $3::json, $4::int) AS keys', [
        data.client,
        session.userId,
        JSON.stringify(Object.fromEntries(wanted)),
        LIMITS.leasedKeysPerDay,
      ])
      if (row?.keys == null) throw new TidemarkError('forbidden', 'This client id is not yours; make a new one.')
      return leasesAnswerSchema.parse({ keys: JSON.parse(row.keys) })
    },
    { applicationName: 'tidemark leases' },
  )
}
