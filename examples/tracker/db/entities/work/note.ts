import { Synced } from 'tidemark/db/entity'
import { Column, Entity, Index, JoinColumn, ManyToOne } from 'typeorm'
import { AppUser } from '../core/app-user.ts'
import { OrganizationOwned } from '../shared/organization-owned.ts'
import { withinOrganization } from '../shared/within-organization.ts'
import { Issue } from './issue.ts'

/** What somebody writes to an issue for himself. Its audience is one person, so no colleague's replica ever holds it. */
@Entity('note')
@Index('note_issue', ['issueId', 'createdAt'])
@Synced({
  audience: { column: 'userId', prefix: 'user' },
  external: ['user'],
  write: 'all',
  // A note has one author, who may use two devices.
  conflict: 'last-write-wins',
  priority: 2,
})
export class Note extends OrganizationOwned {
  @Index('note_user')
  @Column('uuid', { name: 'user_id' })
  userId!: string

  @ManyToOne(() => AppUser, { nullable: false })
  @JoinColumn({ name: 'user_id' })
  user!: AppUser

  @Column('uuid', { name: 'issue_id' })
  issueId!: string

  @ManyToOne(() => Issue, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn(withinOrganization('issue_id'))
  issue!: Issue

  @Column('text')
  body!: string
}
