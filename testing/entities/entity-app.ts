import { fileURLToPath } from 'node:url'
import { type MadeApp, makeApp } from '../cli/make-app.ts'

const ENTITY = fileURLToPath(new URL('../../db/entity/index.ts', import.meta.url))

/** What each module of entities begins with; by path, as the app has no packages. */
export const ENTITY_IMPORTS = `
import { Column, Entity, JoinColumn, ManyToMany, JoinTable, ManyToOne, OneToMany, PrimaryColumn, PrimaryGeneratedColumn, Unique } from 'typeorm'
import { BaseEntity, SqlIndex, Synced } from '${ENTITY}'
const byOrg = { column: 'orgId', prefix: 'org' } as const
`

/** Two entities, one of which has most of what entities have. */
export const TRACKER_ENTITIES = `${ENTITY_IMPORTS}
@Entity('project')
@Synced({ audience: byOrg, priority: 10, history: 'keys' })
export class Project extends BaseEntity {
  @Column('uuid', { name: 'org_id' }) orgId!: string
  @Column('text') name!: string
  @OneToMany(() => Issue, (issue) => issue.project) issues!: Issue[]
}
@Entity('issue')
@Synced({ audience: byOrg, hidden: ['secret'], write: 'all', conflict: 'last-write-wins' })
export class Issue extends BaseEntity {
  @Column('uuid', { name: 'org_id' }) orgId!: string
  @Column('text') title!: string
  @Column('text', { nullable: true }) secret!: string | null
  @Column('enum', { enum: ['open', 'done'], enumName: 'issue_state', default: 'open' }) state!: string
  @Column('json', { nullable: true }) settings!: unknown
  @Column('text', { array: true, default: () => "'{}'" }) labels!: string[]
  @Column({ type: 'integer', asExpression: 'length(title)', generatedType: 'STORED', insert: false, update: false }) size!: number
  @ManyToOne(() => Project, (project) => project.issues, { nullable: false })
  @JoinColumn({ name: 'project_id' })
  project!: Project
}
`

/** Makes an app's folder with entities. */
export const makeEntityApp = (entities: string, files: Readonly<Record<string, string>> = {}): MadeApp =>
  makeApp({ 'entities.ts': entities, ...files })
