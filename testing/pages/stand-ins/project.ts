import { BaseEntity } from 'tidemark/db/entity'
import { Entity } from 'typeorm'

/** The entity that the one of `docs/model-your-data.md` refers to. */
@Entity('project')
export class Project extends BaseEntity {}
