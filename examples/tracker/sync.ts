import { defineSync } from 'tidemark/db'
import { actions } from './actions/index.ts'
import { membership, tables } from './sync-tables.ts'

/**
 * Everyone holds the rows of the organisations they belong to and their own notes; the data of lists loads before the
 * long tail of comments. Users write the content; memberships and activity belong to the server. The entities in
 * `db/entities` say it, table by table.
 */
export const sync = defineSync({ tables, actions, watch: [{ table: membership, user: membership.userId }] })
