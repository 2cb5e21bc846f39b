import { SqlIndex, Synced } from 'tidemark/db/entity'
import { Check, Column, Entity, Index, JoinColumn, ManyToOne, Unique } from 'typeorm'
import { Membership } from '../core/membership.ts'
import { byOrganization, OrganizationOwned } from '../shared/organization-owned.ts'
import { withinOrganization } from '../shared/within-organization.ts'
import { Project } from './project.ts'

const STATES = ['backlog', 'todo', 'in_progress', 'in_review', 'done', 'cancelled'] as const
const PRIORITIES = ['urgent', 'high', 'medium', 'low', 'none'] as const

@Entity('issue')
@Unique(['orgId', 'id'])
@Unique(['projectId', 'number'])
@Check('issue_not_its_own_part', 'parent_id <> id')
@SqlIndex('issue_recent', '(org_id, updated_at DESC)')
@SqlIndex('issue_project', '(project_id, updated_at DESC)')
// Two users who changed one field have to decide.
@Synced({ audience: byOrganization, write: 'all', conflict: 'reject', priority: 2 })
export class Issue extends OrganizationOwned {
  @Column('uuid', { name: 'project_id' })
  projectId!: string

  @ManyToOne(() => Project, { nullable: false })
  @JoinColumn(withinOrganization('project_id'))
  project!: Project

  @Index('issue_parent')
  @Column('uuid', { name: 'parent_id', nullable: true })
  parentId!: string | null

  /** The issue that it is a part of. That may go; the part stays. */
  @ManyToOne(() => Issue, { onDelete: 'SET NULL' })
  @JoinColumn(withinOrganization('parent_id'))
  parent!: Issue | null

  @Column('integer')
  number!: number

  @Column('text')
  title!: string

  @Column('text', { default: '' })
  body!: string

  @Column('enum', { enum: STATES, enumName: 'issue_state', default: 'backlog' })
  state!: (typeof STATES)[number]

  @Column('enum', { enum: PRIORITIES, enumName: 'issue_priority', default: 'none' })
  priority!: (typeof PRIORITIES)[number]

  @Index('issue_assignee')
  @Column('uuid', { name: 'assignee_id', nullable: true })
  assigneeId!: string | null

  @ManyToOne(() => Membership)
  @JoinColumn(withinOrganization('assignee_id'))
  assignee!: Membership | null

  @Column('uuid', { name: 'creator_id' })
  creatorId!: string

  @ManyToOne(() => Membership, { nullable: false })
  @JoinColumn(withinOrganization('creator_id'))
  creator!: Membership

  @Column('date', { name: 'due_on', nullable: true })
  dueOn!: string | null

  @Column('timestamptz', { name: 'closed_at', nullable: true })
  closedAt!: Date | null
}
