import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  date,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'

const pgLsn = customType<{ data: string }>({ dataType: () => 'pg_lsn' })
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' })
const int8multirange = customType<{ data: string }>({ dataType: () => 'int8multirange' })
const timestamptz = (name: string) => timestamp(name, { withTimezone: true })

/** The schema of Tidemark's own tables. Of these only `sync_definition` and `mutation` are captured. */
export const tidemark = pgSchema('tidemark')

/** One unbroken history. The current one has no `ended_at`; a new one begins when the slot or the timeline breaks. */
export const epoch = tidemark.table('epoch', {
  id: text('id').primaryKey(),
  slotName: text('slot_name').notNull(),
  /** The id of the ReplicationDO that captures, so that a second deployment is refused. */
  owner: text('owner').notNull(),
  decoder: text('decoder').notNull(),
  systemIdentifier: text('system_identifier').notNull(),
  timeline: integer('timeline').notNull(),
  /** History holds every captured transaction above this. */
  startLsn: pgLsn('start_lsn').notNull(),
  /** Assigned after the slot was made: the epoch's first snapshots need an xmin above it. */
  startXid: xid8('start_xid').notNull(),
  /** End of the last captured transaction; moves in the transaction that stores it. */
  headLsn: pgLsn('head_lsn').notNull(),
  /** A cursor below this is outside retention, even when nothing is left to prune. */
  floorLsn: pgLsn('floor_lsn').notNull(),
  /** The definition in force at `start_lsn`. */
  definitionVersion: bigint('definition_version', { mode: 'number' }).notNull(),
  startedAt: timestamptz('started_at').notNull().defaultNow(),
  endedAt: timestamptz('ended_at'),
  endReason: text('end_reason'),
})

/**
 * Each definition that ever was in force; an insert here travels in the log and changes the definition at that commit.
 */
export const syncDefinition = tidemark.table('sync_definition', {
  version: bigint('version', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  hash: text('hash').notNull(),
  definition: jsonb('definition').notNull(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
})

/**
 * The catalogue's facts behind the tables of a definition when they were last compared; only the latest version's are
 * compared.
 */
export const tableShape = tidemark.table(
  'table_shape',
  {
    version: bigint('version', { mode: 'number' }).notNull(),
    tableId: text('table_id').notNull(),
    /** The table's name, quoted. */
    relation: text('relation').notNull(),
    /** A hash that differs where anything of the table's shape differs. */
    mark: text('mark').notNull(),
    /** `TableShape` of `db/definition/table-shape.ts`. */
    shape: jsonb('shape').notNull(),
    /** The table was altered at an unknown place below this version; from this version on replicas load it anew. */
    unplaced: boolean('unplaced').notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.version, table.tableId] }),
    index('table_shape_unplaced').on(table.version).where(sql`unplaced`),
  ],
)

/** Every captured change, whole transactions in commit order; permanent unless retention is set. */
export const changeHistory = tidemark.table(
  'change_history',
  {
    epoch: text('epoch').notNull(),
    /** End-of-commit position of the transaction. */
    lsn: pgLsn('lsn').notNull(),
    /** Counts the changes inside the transaction from 0. */
    seq: integer('seq').notNull(),
    /** The transaction id as the log carries it: 32 bits. */
    xid: bigint('xid', { mode: 'number' }).notNull(),
    /** The same transaction in 64 bits, comparable with snapshots. */
    transactionId: xid8('transaction_id').notNull(),
    tableName: text('table_name').notNull(),
    /** insert, update, delete, truncate or definition. */
    operation: text('operation').notNull(),
    /** Primary key of the row; null for a truncate. */
    rowKey: jsonb('row_key'),
    /** insert: the visible row. update: the changed columns. definition: the version and hash now in force. */
    data: jsonb('data'),
    /** update: the old values of the changed columns. delete: the visible row. Never sent. */
    oldData: jsonb('old_data'),
    /** The audience that receives the change; null where the operation concerns everyone. */
    audience: text('audience'),
    schemaVersion: bigint('schema_version', { mode: 'number' }).notNull(),
    committedAt: timestamptz('committed_at').notNull(),
    clientId: text('client_id'),
    mutationId: text('mutation_id'),
    metadata: jsonb('metadata'),
  },
  (table) => [
    primaryKey({ columns: [table.epoch, table.lsn, table.seq] }),
    index('change_history_audience').on(table.epoch, table.audience, table.lsn, table.seq),
    // Hashed to a number, because an index of texts makes each insert more expensive.
    // A page of one row's history is read from its end, however long that is.
    index('change_history_row').on(sql`jsonb_hash_extended(${table.rowKey}, 0)`, table.lsn, table.seq),
    // What has no audience may be much, and truncates are few.
    index('change_history_truncate')
      .on(table.epoch, table.tableName, table.lsn, table.seq)
      .where(sql`operation = 'truncate'`),
    index('change_history_transaction').on(table.epoch, table.transactionId).where(sql`seq = 0`),
    index('change_history_mutation').on(table.clientId, table.mutationId).where(sql`mutation_id is not null`),
  ],
)

/** One replica; bound permanently to the first user who showed its id. */
export const client = tidemark.table('client', {
  id: text('id').primaryKey(),
  userId: text('user_id').notNull(),
  /** Every mutation up to this number is settled: the client has stored its outcome, and none of them is done again. */
  mutationFloor: bigint('mutation_floor', { mode: 'number' }).notNull().default(0),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
})

/** The last word of a replica on the version that it holds; written where it is new, and read by people. */
export const clientStatus = tidemark.table('client_status', {
  clientId: text('client_id').primaryKey(),
  /** The version of the definition that its tables have. */
  version: bigint('version', { mode: 'number' }).notNull(),
  /** The last migration that the page's code knows; null: it does not say. */
  migration: text('migration'),
  /** The number of tables that wait to be loaded for it. */
  waiting: integer('waiting').notNull(),
  /** Why it could not be made from the version before there, so that tables were loaded; null where it could. */
  fault: text('fault'),
  /** How often what failed there was tried again in vain. */
  retries: integer('retries').notNull().default(0),
  toldAt: timestamptz('told_at').notNull().defaultNow(),
})

/**
 * The keys of a sequence that were drawn for a client to number new rows by, used or not; it may use no others. What a
 * client that is gone did not use stays unused.
 */
export const keyLease = tidemark.table(
  'key_lease',
  {
    clientId: text('client_id').notNull(),
    /** The sequence as `schema.name`, quoted where it must be. */
    sequence: text('sequence').notNull(),
    userId: text('user_id').notNull(),
    keys: int8multirange('keys').notNull(),
    /** The last day (UTC) on which keys were drawn, and how many on that day. */
    drawnOn: date('drawn_on').notNull(),
    drawn: integer('drawn').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.clientId, table.sequence] }),
    index('key_lease_user').on(table.userId, table.sequence),
  ],
)

/**
 * Each mutation that was decided and whose author may still ask for it. An insert here travels in the log, first in the
 * transaction of the mutation, and confirms it to the author's client.
 */
export const mutation = tidemark.table(
  'mutation',
  {
    clientId: text('client_id').notNull(),
    counter: bigint('counter', { mode: 'number' }).notNull(),
    userId: text('user_id').notNull(),
    /** SHA-256 of the pushed text: another mutation of the same number is refused. */
    digest: text('digest').notNull(),
    /** committed or rejected. */
    status: text('status').notNull(),
    rejection: jsonb('rejection'),
    /** `PredictedChange[]`; null where the author receives the rows as captured. */
    predicted: jsonb('predicted'),
    /**
     * Values that it left in the rows it wrote, or the basis of those it would have written, for later mutations that
     * build on it.
     */
    effects: jsonb('effects'),
    /** The latest definition when it was decided, in whose names `predicted` and `effects` are said; null: as now. */
    version: bigint('version', { mode: 'number' }),
    transactionId: xid8('transaction_id').notNull().default(sql`pg_current_xact_id()`),
    decidedAt: timestamptz('decided_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.clientId, table.counter] })],
)

/**
 * The mutation of a client that was tried and not decided, if there is one: mutations are decided in order, so it is
 * one at most.
 */
export const stuckMutation = tidemark.table('stuck_mutation', {
  clientId: text('client_id').primaryKey(),
  /** Mutations up to this one are tried one by one. */
  counter: bigint('counter', { mode: 'number' }).notNull(),
  tries: integer('tries').notNull(),
  /** Null for a connection that was cut. */
  sqlState: text('sql_state'),
  since: timestamptz('since').notNull().defaultNow(),
})

/** Committed mutations for which the app's `onCommitted` is still to be called. */
export const committedCall = tidemark.table(
  'committed_call',
  {
    clientId: text('client_id').notNull(),
    counter: bigint('counter', { mode: 'number' }).notNull(),
    mutation: jsonb('mutation').notNull(),
    attempts: integer('attempts').notNull().default(0),
    dueAt: timestamptz('due_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.clientId, table.counter] }), index('committed_call_due').on(table.dueAt)],
)

/** One of the app's own servers that is told all changes; its cursor holds back pruning for a bounded time. */
export const consumer = tidemark.table('consumer', {
  name: text('name').primaryKey(),
  /** Everything of this epoch up to `(lsn, seq)` was handled, and all of earlier ones that was there. */
  epoch: text('epoch').notNull(),
  lsn: pgLsn('lsn').notNull(),
  seq: integer('seq').notNull(),
  /** Names the run that reads now; null, or a time that is over: nobody does. */
  lease: text('lease'),
  leasedUntil: timestamptz('leased_until'),
  /** When its cursor moved last, or it found nothing to read. */
  movedAt: timestamptz('moved_at').notNull().defaultNow(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
})

/** The app's SQL migrations that have run, by file name, with the hash of the text that ran. */
export const appMigration = tidemark.table('app_migration', {
  name: text('name').primaryKey(),
  hash: text('hash').notNull(),
  appliedAt: timestamptz('applied_at').notNull().defaultNow(),
  /** True where pages that do not know this file must not go on past it. */
  breaking: boolean('breaking').notNull().default(false),
  /** The app's migration that had run before it; null for the first, and for our own. */
  after: text('after'),
  /** The definition in force once it had run; null where none was, and for our own. */
  version: bigint('version', { mode: 'number' }),
  /** The statements that ran, as `{ text, parameters }`. */
  up: jsonb('up'),
  /** The statements that take it back, as its folder had them when it ran; null where it had none. */
  down: jsonb('down'),
})
