import { Synced } from 'tidemark/db/entity'
import { Column, Entity, Index, JoinColumn, ManyToOne, Unique } from 'typeorm'
import { byOrganization, OrganizationOwned } from '../shared/organization-owned.ts'
import { AppUser } from './app-user.ts'

/** A user's place in an organisation. Whose it is decides what its user sees, so that the server alone writes it. */
@Entity('membership')
@Unique(['orgId', 'id'])
@Unique(['orgId', 'userId'])
@Synced({ audience: byOrganization, hidden: ['inviteHash'], external: ['user'], priority: 1 })
export class Membership extends OrganizationOwned {
  @Index('membership_user')
  @Column('uuid', { name: 'user_id' })
  userId!: string

  @ManyToOne(() => AppUser, { nullable: false })
  @JoinColumn({ name: 'user_id' })
  user!: AppUser

  @Column('text', { name: 'display_name' })
  displayName!: string

  @Column('text')
  email!: string

  @Column('enum', { enum: ['owner', 'admin', 'member', 'guest'], enumName: 'member_role', default: 'member' })
  role!: 'owner' | 'admin' | 'member' | 'guest'

  /** Never leaves the server. */
  @Column('text', { name: 'invite_hash', nullable: true })
  inviteHash!: string | null

  @Column('timestamptz', { name: 'joined_at', default: () => 'now()' })
  joinedAt!: Date
}
