import { BaseEntity } from 'tidemark/db/entity'
import { Column, JoinColumn, ManyToOne } from 'typeorm'
import { Organization } from '../core/organization.ts'

/** The audience of all that the members of an organisation share. */
export const byOrganization = { column: 'orgId', prefix: 'org' } as const

/**
 * What belongs to an organisation. Every reference from here includes `org_id`: a row can only point into its own
 * organisation, and a replica that holds the row holds what it points to.
 */
export abstract class OrganizationOwned extends BaseEntity {
  @Column('uuid', { name: 'org_id' })
  orgId!: string

  @ManyToOne(() => Organization, { nullable: false })
  @JoinColumn({ name: 'org_id' })
  organization!: Organization
}
