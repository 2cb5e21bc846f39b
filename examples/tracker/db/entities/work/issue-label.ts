import { Synced } from 'tidemark/db/entity'
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm'
import { Organization } from '../core/organization.ts'
import { byOrganization } from '../shared/organization-owned.ts'
import { withinOrganization } from '../shared/within-organization.ts'
import { Issue } from './issue.ts'
import { Label } from './label.ts'

/** A label on an issue. It is there or not, so that it has neither a key of its own nor a version. */
@Entity('issue_label')
@Synced({ audience: byOrganization, write: 'all', priority: 2 })
export class IssueLabel {
  @PrimaryColumn('uuid', { name: 'issue_id' })
  issueId!: string

  @Index('issue_label_label')
  @PrimaryColumn('uuid', { name: 'label_id' })
  labelId!: string

  @Column('uuid', { name: 'org_id' })
  orgId!: string

  @ManyToOne(() => Organization, { nullable: false })
  @JoinColumn({ name: 'org_id' })
  organization!: Organization

  @ManyToOne(() => Issue, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn(withinOrganization('issue_id'))
  issue!: Issue

  @ManyToOne(() => Label, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn(withinOrganization('label_id'))
  label!: Label
}
