import { getMetadataArgsStorage } from 'typeorm'
import { expect, test } from 'vitest'
import { BaseEntity, SqlIndex, Synced } from './index.ts'
import { isBaseEntity, sqlIndexes, syncedDeclaration } from './marks.ts'

abstract class Owned extends BaseEntity {
  declare orgId: string
}
class Issue extends Owned {
  declare secret: string | null
  declare address: { street: string }
}
class Bug extends Issue {}

test('CLI-R17 a declaration is that of its own class, and a key and version come from the base', () => {
  const declaration = { audience: { column: 'orgId', prefix: 'org' }, hidden: ['secret', 'address.street'] } as const
  Synced(declaration)(Issue)
  expect(syncedDeclaration(Issue)).toEqual(declaration)
  expect(syncedDeclaration(Bug)).toBeNull()
  expect([isBaseEntity(Bug), isBaseEntity(BaseEntity), isBaseEntity(class {})]).toEqual([true, true, false])
  const columns = getMetadataArgsStorage().columns.filter(({ target }) => target === BaseEntity)
  expect(columns.map(({ propertyName, mode }) => [propertyName, mode])).toEqual([
    ['id', 'regular'],
    ['createdAt', 'createDate'],
    ['updatedAt', 'updateDate'],
    ['version', 'version'],
  ])
  // Nothing is set on an instance: TypeORM would take it for a value to write.
  expect(Object.keys(new Bug())).toEqual([])
})

test('CLI-R18 a property that the entity lacks does not compile', () => {
  // @ts-expect-error: Issue has no orgid.
  Synced({ audience: { column: 'orgid', prefix: 'org' } })(class extends Owned {})
  // @ts-expect-error: nor a hash to hide.
  Synced({ audience: 'all', hidden: ['hash'] })(Bug)
  expect(syncedDeclaration(Bug)).toMatchObject({ hidden: ['hash'] })
  expect(() => Synced({ audience: 'all' })(Bug)).toThrow('Bug has two @Synced: keep one.')
})

test('CLI-R20 indexes in the words of SQL are those of their own class', () => {
  SqlIndex('issue_recent', '(org_id, updated_at DESC)')(Issue)
  SqlIndex('issue_title', '(lower(title))', { unique: true })(Issue)
  expect(sqlIndexes(Issue)).toEqual([
    { name: 'issue_recent', on: '(org_id, updated_at DESC)', unique: false },
    { name: 'issue_title', on: '(lower(title))', unique: true },
  ])
  expect(sqlIndexes(Bug)).toEqual([])
})
