import { Synced } from 'tidemark/db/entity'
import { Check, Column, Entity, Unique } from 'typeorm'
import { byOrganization, OrganizationOwned } from '../shared/organization-owned.ts'

@Entity('label')
@Unique(['orgId', 'id'])
@Unique(['orgId', 'name'])
@Check(`color ~ '^#[0-9a-f]{6}$'`)
@Synced({ audience: byOrganization, write: 'all', priority: 1 })
export class Label extends OrganizationOwned {
  @Column('text')
  name!: string

  @Column('text')
  color!: string
}
