import { BaseEntity, Synced } from 'tidemark/db/entity'
import { Column, Entity } from 'typeorm'

@Entity('organization')
@Synced({ audience: { column: 'id', prefix: 'org' }, priority: 1 })
export class Organization extends BaseEntity {
  @Column('text')
  name!: string

  @Column('text', { unique: true })
  slug!: string
}
