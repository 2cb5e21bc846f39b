import { Synced } from 'tidemark/db/entity'
import { Check, Column, Entity, JoinColumn, ManyToOne, Unique } from 'typeorm'
import { Membership } from '../core/membership.ts'
import { byOrganization, OrganizationOwned } from '../shared/organization-owned.ts'
import { withinOrganization } from '../shared/within-organization.ts'

@Entity('project')
@Unique(['orgId', 'id'])
@Unique(['orgId', 'key'])
@Check(`key ~ '^[A-Z]{2,5}$'`)
@Synced({ audience: byOrganization, priority: 1 })
export class Project extends OrganizationOwned {
  /** What the numbers of its issues begin with. */
  @Column('text')
  key!: string

  @Column('text')
  name!: string

  @Column('text', { default: '' })
  description!: string

  @Column('uuid', { name: 'lead_id', nullable: true })
  leadId!: string | null

  @ManyToOne(() => Membership)
  @JoinColumn(withinOrganization('lead_id'))
  lead!: Membership | null

  /** Archived, not gone: its issues stay readable, the lists leave it out. */
  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt!: Date | null
}
