import { BaseEntity } from 'tidemark/db/entity'
import { Column, Entity } from 'typeorm'

/** Who may log in. It stays on the server: an organisation sees its members through membership alone. */
@Entity('app_user')
export class AppUser extends BaseEntity {
  @Column('text', { unique: true })
  email!: string

  @Column('text')
  name!: string
}
