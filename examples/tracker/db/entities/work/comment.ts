import { Synced } from 'tidemark/db/entity'
import { Column, Entity, Index, JoinColumn, ManyToOne } from 'typeorm'
import { Membership } from '../core/membership.ts'
import { byOrganization, OrganizationOwned } from '../shared/organization-owned.ts'
import { withinOrganization } from '../shared/within-organization.ts'
import { Issue } from './issue.ts'

@Entity('comment')
@Index('comment_issue', ['issueId', 'createdAt'])
@Synced({ audience: byOrganization, write: 'all', priority: 3 })
export class Comment extends OrganizationOwned {
  @Column('uuid', { name: 'issue_id' })
  issueId!: string

  @ManyToOne(() => Issue, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn(withinOrganization('issue_id'))
  issue!: Issue

  @Column('uuid', { name: 'author_id' })
  authorId!: string

  @ManyToOne(() => Membership, { nullable: false })
  @JoinColumn(withinOrganization('author_id'))
  author!: Membership

  @Column('text')
  body!: string

  /** When its author last changed the text; null for never. */
  @Column('timestamptz', { name: 'edited_at', nullable: true })
  editedAt!: Date | null
}
