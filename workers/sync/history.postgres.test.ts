import { beforeAll, describe, expect, it } from 'vitest'
import { parsePgLsn, ZERO_LSN } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import type { PlacedChange } from '../encoded-change.ts'
import { readHistory } from './history.ts'

const created = useTestDatabase(servers().embedded)
const database = useConnection(created)

beforeAll(async () => {
  await database.query(
    `INSERT INTO tidemark.epoch (id, slot_name, owner, decoder, system_identifier, timeline, start_lsn, start_xid, head_lsn, floor_lsn, definition_version)
     VALUES ('e', 's', 'o', 'pgoutput', '1', 1, '0/1', '1', '1/0', '0/1', 1)`,
  )
})

describe('reading history', () => {
  it('HIS-03 keeps the order of LSNs whatever their width, and of changes beyond nine', async () => {
    await database.query(
      `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, audience, schema_version, committed_at)
       SELECT 'e', lsn::pg_lsn, seq, 1, '1', 'public.t', 'insert', '{}', jsonb_build_object('at', lsn || '#' || seq), 'all', 1, now()
       FROM unnest(ARRAY['0/FFFFFFF', '0/10000000', '0/9', '0/FFFFFFFF', '1/0']) AS lsn, generate_series(0, 10) AS seq`,
    )
    const seen: PlacedChange[] = []
    const range = { epoch: 'e', from: parsePgLsn('0/1'), to: parsePgLsn('1/0'), skip: 0, mutationsAfter: ZERO_LSN }
    await readHistory(database, { userId: null, audiences: ['all'] }, range, (page) => {
      seen.push(...page)
      return true
    })
    expect(seen.map((change) => JSON.parse(change.text).d.at)).toEqual(
      ['0/9', '0/FFFFFFF', '0/10000000', '0/FFFFFFFF', '1/0'].flatMap((lsn) =>
        Array.from({ length: 11 }, (_, seq) => `${lsn}#${seq}`),
      ),
    )
  })
})
