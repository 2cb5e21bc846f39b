import { Synced } from 'tidemark/db/entity'
import { Column, CreateDateColumn, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from 'typeorm'
import { Membership } from '../core/membership.ts'
import { Organization } from '../core/organization.ts'
import { byOrganization } from '../shared/organization-owned.ts'
import { withinOrganization } from '../shared/within-organization.ts'
import { Issue } from './issue.ts'

const KINDS = ['state', 'priority', 'assignee'] as const

/** What happened to issues, in the order in which the server wrote it down. Nothing of it ever changes. */
@Entity('activity')
@Index('activity_issue', ['issueId', 'id'])
@Index('activity_mutation', ['mutationId', 'issueId', 'kind'], { unique: true })
@Synced({ audience: byOrganization, hidden: ['mutationId'], priority: 3 })
export class Activity {
  @PrimaryGeneratedColumn('increment', { type: 'bigint' })
  id!: string

  @Column('uuid', { name: 'org_id' })
  orgId!: string

  @ManyToOne(() => Organization, { nullable: false })
  @JoinColumn({ name: 'org_id' })
  organization!: Organization

  @Column('uuid', { name: 'issue_id' })
  issueId!: string

  @ManyToOne(() => Issue, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn(withinOrganization('issue_id'))
  issue!: Issue

  @Column('uuid', { name: 'actor_id' })
  actorId!: string

  @ManyToOne(() => Membership, { nullable: false })
  @JoinColumn(withinOrganization('actor_id'))
  actor!: Membership

  @Column('enum', { enum: KINDS, enumName: 'activity_kind' })
  kind!: (typeof KINDS)[number]

  /** The new state or priority, or the name of the new assignee as it was then. */
  @Column('text')
  value!: string

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date

  /** The mutation that it was recorded for: a worker that is told of it twice records it once. */
  @Column('text', { name: 'mutation_id', nullable: true })
  mutationId!: string | null
}
