import { CreateDateColumn, PrimaryGeneratedColumn, UpdateDateColumn, VersionColumn } from 'typeorm'
import { markBaseEntity } from './marks.ts'

/**
 * An entity with a key that replicas can make, its times, and a version for optimistic locking.
 *
 * `updatedAt` and `version` are the server's: the trigger that `tidemark migration:generate` writes keeps them for
 * TypeORM, SQL and replicas alike, and replicas learn them by sync.
 */
export abstract class BaseEntity {
  /** Uuid. */
  declare id: string
  declare createdAt: Date
  declare updatedAt: Date
  /** One for a new row, and one more with each statement that changed it. */
  declare version: number
}

// Called rather than written as decorators, so that no build of ours has to know their older syntax.
PrimaryGeneratedColumn('uuid')(BaseEntity.prototype, 'id')
CreateDateColumn({ type: 'timestamptz', name: 'created_at' })(BaseEntity.prototype, 'createdAt')
UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })(BaseEntity.prototype, 'updatedAt')
// The default is for rows that SQL inserts; an expression, because TypeORM would alter a number anew each time.
VersionColumn({ type: 'integer', name: 'version', default: () => '1' })(BaseEntity.prototype, 'version')
markBaseEntity(BaseEntity)
