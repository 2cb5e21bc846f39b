import { nanoid } from 'nanoid'
import { TidemarkError } from '../../protocol/index.ts'
import { captureStatements } from './capture-ddl.ts'
import { type Executor, readCopies } from './copies.ts'
import type { Database } from './database.ts'
import { digestText } from './digest-text.ts'
import { OWN_CODE_DIGEST } from './own-code-digest.ts'
import { FIRST_FORMAT, FORMAT, UPGRADES } from './own-format.ts'

/** The texts that make the schema: the image of a new database holds what they make, so that a page seldom loads them. Rule PRF-R2. */
const loadTexts = () => import('./own-code-ddl.ts')

/** Runs as the server's statements do: triggers against DDL rest, and the app's search path does not count. */
const QUIETLY = 'SET LOCAL session_replication_role = replica; SET LOCAL search_path = pg_catalog'

/** Makes the schema in a database that has none, for a user who is not known yet. */
export async function makeOwnSchema(tx: Executor): Promise<void> {
  const { FIRST_TABLES } = await loadTexts()
  await tx.exec(QUIETLY)
  for (const statements of [FIRST_TABLES, ...UPGRADES]) await tx.exec(statements)
  await tx.query(`INSERT INTO tidemark.owner (format, user_id, client_id) VALUES ($1, '', '')`, [FORMAT])
  await renewCode(tx)
}

/**
 * Opens the replica's own schema: makes it in a new database, and brings an older one up to this library, in one transaction.
 * Its content stays.
 *
 * Throws `forbidden` when it belongs to another user, `upgrade-required` when a newer library wrote it, `corrupt` when it
 * cannot be read, and what `mayBegin` throws of a database that is nobody's yet, which then stays so.
 */
export async function openOwnSchema(
  db: Database,
  user: string,
  mayBegin: () => void | Promise<void> = () => {},
): Promise<{ readonly clientId: string; readonly isNew: boolean }> {
  return db.transaction(async (tx) => {
    await tx.exec(QUIETLY)
    const found = await tx.query<{ exists: boolean }>(`SELECT to_regclass('tidemark.owner') IS NOT NULL AS exists`)
    if (found.rows[0]?.exists !== true) await makeOwnSchema(tx)
    const before = await readOwner(tx)
    const isNew = before.client_id === ''
    if (isNew) await claimOwnership(tx, user)
    if (isNew) await mayBegin()
    const { format, user_id, client_id } = isNew ? await readOwner(tx) : before
    if (format > FORMAT) {
      const message = 'A newer version of this app wrote the local database: reload the app, or update it.'
      throw new TidemarkError('upgrade-required', message)
    }
    if (format < FIRST_FORMAT)
      throw new TidemarkError('corrupt', `its format ${format} is from before the first release`)
    if (user_id !== user) {
      const message = 'This storage holds the replica of another user: choose another storage name.'
      throw new TidemarkError('forbidden', message)
    }
    for (const upgrade of UPGRADES.slice(format - FIRST_FORMAT)) await tx.exec(upgrade)
    if (format < FORMAT) await tx.query('UPDATE tidemark.owner SET format = $1', [FORMAT])
    await renewCode(tx)
    return { clientId: client_id, isNew }
  })
}

/** Gives this user a database that is nobody's yet. */
async function claimOwnership(tx: Executor, user: string): Promise<void> {
  await tx.query(`UPDATE tidemark.owner SET user_id = $1, client_id = $2 WHERE client_id = ''`, [user, nanoid()])
}

interface Owner {
  readonly format: number
  readonly user_id: string
  readonly client_id: string
}

async function readOwner(tx: Executor): Promise<Owner> {
  const { rows } = await tx.query<Owner>('SELECT format, user_id, client_id FROM tidemark.owner')
  const [owner] = rows
  if (!owner) throw new TidemarkError('corrupt', 'its owner is missing')
  return owner
}

/** Functions, views and triggers are this library's, also on the tables of a copy that another one made. */
async function renewCode(tx: Executor): Promise<void> {
  const shown = (await readCopies(tx)).find(({ place }) => place === 'live')
  const capture = shown ? captureStatements(shown.tables) : []
  const digest = await digestText([OWN_CODE_DIGEST, ...capture].join('\n'))
  const { rows } = await tx.query<{ same: boolean }>('SELECT code = $1 AS same FROM tidemark.owner', [digest])
  if (rows[0]?.same === true) return
  const { OWN_CODE } = await loadTexts()
  await tx.exec([OWN_CODE, ...capture].join('\n'))
  await tx.query('UPDATE tidemark.owner SET code = $1', [digest])
}
