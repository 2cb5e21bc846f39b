import { describe, expect, test } from 'vitest'
import type { HealthCheck } from '../contracts.ts'
import { audienceRowsCheck } from './audience-rows-check.ts'
import {
  clientRoleCheck,
  columnRightsCheck,
  rowSecurityCheck,
  type TableRights,
  writeRightsCheck,
} from './client-role-checks.ts'
import { definitionCheck } from './definition-check.ts'
import { failCheck, limitCheck, okCheck, overallStatus, warnCheck } from './health-check.ts'
import { ownSchemaCheck } from './own-schema-check.ts'
import { type PublicationFacts, publicationCheck } from './publication-check.ts'
import {
  freeSlotCheck,
  isPluginAllowed,
  openTransactionCheck,
  outputPluginCheck,
  replicationRoleCheck,
  serverVersionCheck,
  walLevelCheck,
} from './server-checks.ts'
import { retainedWalCheck, type SlotHealthFacts, slotStateCheck } from './slot-checks.ts'
import { partitionOwnerCheck, replicaIdentityCheck, rowSizeCheck } from './table-checks.ts'

const GIB = 1024 ** 3
const SLOT: SlotHealthFacts = {
  plugin: 'pgoutput',
  database: 'app',
  currentDatabase: 'app',
  active: false,
  walStatus: 'reserved',
  retainedBytes: 0,
  keepBytes: null,
}
const PUBLICATION: PublicationFacts = {
  tables: ['tidemark.sync_definition', 'tidemark.mutation', 'public.a'],
  allOperations: true,
  viaRoot: true,
}
const RIGHTS: TableRights = {
  schemaUsage: true,
  owner: false,
  rowSecurity: true,
  readable: ['id', 'org_id'],
  insertable: [],
  updatable: [],
  deletes: false,
}
const OPEN = { insertable: ['id'], updatable: ['id'], deletes: true }
const TABLE = {
  id: 'public.a',
  schema: 'public',
  name: 'a',
  audience: { column: 'org_id', prefix: 'org' },
  identityFull: true,
}
const WRITTEN = {
  ...TABLE,
  write: 'all' as const,
  columns: [
    { name: 'id', type: 'uuid', notNull: true, generated: null },
    { name: 'twice', type: 'integer', notNull: false, generated: '(2 * 2)' },
  ],
}
const columns = (over: Partial<TableRights>) => columnRightsCheck(TABLE, ['id', 'org_id'], { ...RIGHTS, ...over })

describe('overall', () => {
  test('OPS-01 the worst check decides', () => {
    const [ok, warn, fail] = [okCheck('a'), warnCheck('b', 'x'), failCheck('c', 'y')]
    expect(overallStatus([])).toBe('ok')
    expect(overallStatus([ok, ok])).toBe('ok')
    expect(overallStatus([ok, warn])).toBe('warn')
    expect(overallStatus([warn, fail, ok])).toBe('fail')
  })

  test('OPS-01 a figure is held against two limits, which do not count as passed themselves', () => {
    const at = (value: number) => limitCheck('lag', value, { warn: 10, fail: 20, unit: 's' }, 'Too late.')
    expect([10, 11, 20, 21].map((value) => at(value).status)).toEqual(['ok', 'warn', 'warn', 'fail'])
    expect(at(21)).toEqual({ name: 'lag', status: 'fail', value: 21, threshold: 20, unit: 's', message: 'Too late.' })
    expect(at(10)).toEqual({ name: 'lag', status: 'ok', value: 10, threshold: 10, unit: 's', message: '' })
  })
})

describe('every misconfiguration', () => {
  test.each<[string, HealthCheck, HealthCheck['status'], RegExp]>([
    ['Postgres 13', serverVersionCheck(130_014), 'fail', /upgrade/],
    ['wal_level replica', walLevelCheck('replica'), 'fail', /wal_level = logical/],
    [
      'no REPLICATION',
      replicationRoleCheck({ name: 'app', superuser: false, replication: false }),
      'fail',
      /ALTER ROLE/,
    ],
    ['no free slot', freeSlotCheck({ max: 10, used: 10, ownExists: false }), 'fail', /pg_drop_replication_slot/],
    [
      'no plugin allowed',
      outputPluginCheck({ allowed: 'test_decoding', slotPlugin: null }),
      'fail',
      /output_plugin_libraries/,
    ],
    [
      'plugin of the slot forbidden',
      outputPluginCheck({ allowed: 'pgoutput', slotPlugin: 'wal2json' }),
      'fail',
      /drop the slot/,
    ],
    ['an old open transaction', openTransactionCheck(3600), 'warn', /idle_in_transaction_session_timeout/],
    ['a very old open transaction', openTransactionCheck(24 * 3600), 'fail', /pg_prepared_xacts/],
    ['no slot yet', slotStateCheck('tidemark', null), 'warn', /first cycle/],
    ['a slot of another database', slotStateCheck('tidemark', { ...SLOT, database: 'other' }), 'fail', /slotName/],
    ['a lost slot', slotStateCheck('tidemark', { ...SLOT, walStatus: 'lost' }), 'fail', /max_slot_wal_keep_size/],
    [
      'a slot about to be lost',
      slotStateCheck('tidemark', { ...SLOT, walStatus: 'unreserved' }),
      'warn',
      /about to lose/,
    ],
    ['much log held back', retainedWalCheck({ retainedBytes: 2 * GIB, keepBytes: null }), 'warn', /advances/],
    [
      'log held back near the limit',
      retainedWalCheck({ retainedBytes: 0.95 * GIB, keepBytes: GIB }),
      'fail',
      /advances/,
    ],
    ['no publication', publicationCheck(null, []), 'fail', /tidemark migrate/],
    ['a table not published', publicationCheck(PUBLICATION, ['public.a', 'public.b']), 'fail', /lacks public\.b/],
    [
      'own table not published',
      publicationCheck({ ...PUBLICATION, tables: ['public.a'] }, []),
      'fail',
      /sync_definition/,
    ],
    ['operations left out', publicationCheck({ ...PUBLICATION, allOperations: false }, []), 'fail', /publish = /],
    [
      'partitions by their own names',
      publicationCheck({ ...PUBLICATION, viaRoot: false }, []),
      'fail',
      /publish_via_partition_root/,
    ],
    [
      'default identity',
      replicaIdentityCheck({ ...TABLE, identityFull: false }),
      'fail',
      /ALTER TABLE "public"\."a" REPLICA IDENTITY FULL/,
    ],
    ['large rows', rowSizeCheck(TABLE, 100_000), 'warn', /table of their own/],
    ['partitions of another owner', partitionOwnerCheck(TABLE, 'boss'), 'warn', /GRANT boss/],
    ['no client role', clientRoleCheck(null), 'fail', /tidemark migrate/],
    [
      'a client role past row-level security',
      clientRoleCheck({ bypassesRls: true, settable: true }),
      'fail',
      /NOBYPASSRLS/,
    ],
    [
      'a client role that cannot be set',
      clientRoleCheck({ bypassesRls: false, settable: false }),
      'fail',
      /GRANT tidemark_client/,
    ],
    ['a client role that owns', columns({ owner: true }), 'fail', /REVOKE/],
    ['no usage of the schema', columns({ schemaUsage: false }), 'fail', /GRANT USAGE/],
    ['a visible column not granted', columns({ readable: ['id'] }), 'fail', /GRANT SELECT \("org_id"\)/],
    ['a hidden column granted', columns({ readable: ['id', 'org_id', 'secret'] }), 'fail', /"secret".*REVOKE/],
    [
      'row-level security off',
      rowSecurityCheck(TABLE, { ...RIGHTS, rowSecurity: false }),
      'warn',
      /ENABLE ROW LEVEL SECURITY/,
    ],
    [
      'row-level security off where replicas write',
      rowSecurityCheck({ ...WRITTEN, audience: { constant: 'all' } }, { ...RIGHTS, rowSecurity: false }),
      'fail',
      /ENABLE ROW LEVEL SECURITY/,
    ],
    ['a right to write that replicas lack', writeRightsCheck(WRITTEN, { ...OPEN, updatable: [] }), 'fail', /migrate/],
    ['a right to delete that replicas lack', writeRightsCheck(WRITTEN, { ...OPEN, deletes: false }), 'fail', /migrate/],
    [
      'a hidden column that replicas may write',
      writeRightsCheck(WRITTEN, { ...OPEN, insertable: ['id', 'secret'] }),
      'fail',
      /"secret".*REVOKE/,
    ],
    [
      'a table for reading that replicas may delete from',
      writeRightsCheck({ ...TABLE, columns: [] }, { insertable: [], updatable: [], deletes: true }),
      'fail',
      /\(DELETE\): REVOKE/,
    ],
    [
      'a policy that hides rows',
      audienceRowsCheck(TABLE, [{ audience: 'org:1', rows: 5, seen: 4 }]),
      'fail',
      /sees 4 of 5/,
    ],
    ['own schema incomplete', ownSchemaCheck(['tidemark.epoch.id', 'b', 'c', 'd']), 'fail', /and 1 more/],
    ['no definition', definitionCheck(null, null), 'fail', /tidemark migrate/],
    ["another definition than the app's", definitionCheck({ version: 2, hash: 'x' }, 'y'), 'warn', /tidemark migrate/],
  ])('OPS-04 %s is named, with the remedy', (_, check, status, remedy) => {
    expect(check.status).toBe(status)
    expect(check.message).toMatch(remedy)
    expect(check.message).toMatch(/\.$/)
  })

  test.each<[string, HealthCheck]>([
    ['version', serverVersionCheck(140_000)],
    ['wal_level', walLevelCheck('logical')],
    ['role', replicationRoleCheck({ name: 'app', superuser: false, replication: true })],
    ['full server with our own slot', freeSlotCheck({ max: 10, used: 10, ownExists: true })],
    ['plugin of the slot', outputPluginCheck({ allowed: 'pgoutput, wal2json', slotPlugin: 'wal2json' })],
    ['server without the setting', outputPluginCheck({ allowed: null, slotPlugin: null })],
    ['slot', slotStateCheck('tidemark', SLOT)],
    ['little log', retainedWalCheck({ retainedBytes: 0.4 * GIB, keepBytes: GIB })],
    ['publication', publicationCheck(PUBLICATION, ['public.a'])],
    ['identity', replicaIdentityCheck(TABLE)],
    ['small rows', rowSizeCheck(TABLE, 200)],
    ['partitions of its own', partitionOwnerCheck(TABLE, null)],
    ['client role', clientRoleCheck({ bypassesRls: false, settable: true })],
    ['columns', columns({})],
    ['rights to write', writeRightsCheck(WRITTEN, OPEN)],
    ['rights to read alone', writeRightsCheck({ ...TABLE, columns: [] }, RIGHTS)],
    ['row-level security', rowSecurityCheck(TABLE, RIGHTS)],
    [
      'row-level security of a table for all',
      rowSecurityCheck({ ...TABLE, audience: { constant: 'all' } }, { ...RIGHTS, rowSecurity: false }),
    ],
    ['rows', audienceRowsCheck(TABLE, [{ audience: 'org:1', rows: 5, seen: 5 }])],
    ['own schema', ownSchemaCheck([])],
    ['definition, the app unknown', definitionCheck({ version: 1, hash: 'x' }, null)],
    ['definition', definitionCheck({ version: 1, hash: 'x' }, 'x')],
  ])('OPS-04 nothing is said of a good %s', (_, check) => {
    expect(check).toMatchObject({ status: 'ok', message: '' })
  })

  test('CAP-23 a plugin is allowed where the server does not know the setting, or lists it', () => {
    expect(isPluginAllowed('wal2json', null)).toBe(true)
    expect(isPluginAllowed('wal2json', 'pgoutput, test_decoding')).toBe(false)
    expect(isPluginAllowed('wal2json', 'pgoutput,"wal2json"')).toBe(true)
    expect(isPluginAllowed('wal2json', '')).toBe(false)
  })
})
