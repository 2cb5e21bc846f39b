/**
 * The tables of schema `tidemark` whose rows travel: published beside the app's, and made rows of history by capture. A
 * table added here needs its row in `workers/replication/rules/to-changes.ts`, which does not compile without it.
 */
export const OWN_TABLES = [
  /** Each row puts a definition in force, at its place in the log. */
  { name: 'sync_definition', columns: ['version', 'hash', 'definition'], key: ['version'] },
  /** Each row is a client's mutation, or the record of its rejection; only its author's audience receives it. */
  { name: 'mutation', columns: ['client_id', 'counter', 'rejection', 'predicted'], key: ['client_id', 'counter'] },
] as const

export const OWN_SCHEMA = 'tidemark'

export type OwnTableName = (typeof OWN_TABLES)[number]['name']
