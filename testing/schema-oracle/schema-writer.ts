import { randomUUID } from 'node:crypto'
import { openReplicaOn } from '../../client/open-replica.ts'
import type { Replica } from '../../client/replica-api.ts'
import { quoteIdentifier } from '../../protocol/index.ts'
import type { Random } from '../oracle/random.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'
import { sync } from './app/sync.ts'

export interface WriterOptions {
  readonly name: string
  readonly orgs: readonly string[]
  readonly url: string
  readonly token: () => Promise<string>
  /** Folder of its database. */
  readonly storage: string
}

interface LocalTable {
  readonly name: string
  /** Names of its columns of text besides id, org and team. */
  readonly texts: readonly string[]
  /** Names of its columns of numbers, by their types. */
  readonly numbers: readonly { readonly name: string; readonly type: 'integer' | 'bigint' }[]
  /** Names of columns that a new row must have a value in. */
  readonly required: readonly string[]
}

/** What a replica holds by itself, without being told of the schema: it is written by what its catalogue says. */
const LOCAL_TABLES = `
  SELECT c.relname AS name,
    coalesce(json_agg(a.attname) FILTER (WHERE a.atttypid IN ('text'::regtype, 'varchar'::regtype)
      AND a.attname NOT IN ('org', 'team')), '[]') AS texts,
    coalesce(json_agg(json_build_object('name', a.attname, 'type', a.atttypid::regtype))
      FILTER (WHERE a.atttypid IN ('int4'::regtype, 'int8'::regtype)), '[]') AS numbers,
    coalesce(json_agg(a.attname) FILTER (WHERE a.attname IN ('org', 'team')), '[]') AS required
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE t.tgname = 'tidemark_admit' GROUP BY c.relname ORDER BY c.relname`

/** A replica that writes whatever its tables are at the moment. */
export class SchemaWriter {
  readonly options: WriterOptions
  readonly #random: Random
  #replica: Replica<typeof sync> | null = null
  /** Ids of the mutations that it was given handles of. */
  readonly made: string[] = []
  readonly warnings: string[] = []

  constructor(options: WriterOptions, random: Random) {
    this.options = options
    this.#random = random
  }

  get replica(): Replica<typeof sync> {
    if (!this.#replica) throw new Error('The writer is not open.')
    return this.#replica
  }

  async open(): Promise<void> {
    const { url, name, token, storage } = this.options
    const onWarning = ({ message }: Error) => void this.warnings.push(message)
    this.#replica = await openReplicaOn({ url, user: name, token, sync, storage, onWarning }, openPreparedDatabase)
  }

  async close(): Promise<void> {
    await this.#replica?.close()
    this.#replica = null
  }

  /** Makes one mutation; false where the tables were others by the time, or nothing was there to write. */
  async write(): Promise<boolean> {
    const { rows } = await this.replica.db.query<LocalTable>(LOCAL_TABLES)
    if (rows.length === 0 || !this.replica.status.ready) return false
    const table = this.#random.pick(rows)
    const kind = this.#random.weighted({ insert: 3, update: 6, delete: 1 })
    const statement = this.#statement(kind, table)
    if (statement === null) return false
    try {
      const { id, confirmed } = await this.replica.transaction((tx) => tx.query(statement.text, statement.params))
      confirmed.catch(() => undefined)
      if (id !== null) this.made.push(id)
      return id !== null
    } catch (error) {
      // The tables were made others between the look and the write.
      if (/does not exist|not loaded yet|not-null constraint/.test(String(error))) return false
      throw error
    }
  }

  #statement(kind: 'insert' | 'update' | 'delete', { name, texts, numbers, required }: LocalTable) {
    const table = `public.${quoteIdentifier(name)}`
    const org = this.#random.pick(this.options.orgs)
    const token = `w${this.#random.below(1_000_000)}`
    const place = `(SELECT id FROM ${table} ORDER BY md5(id::text || $1) LIMIT 1)`
    if (kind === 'delete') return { text: `DELETE FROM ${table} WHERE id = ${place}`, params: [token] }
    const number = numbers.length > 0 && kind === 'update' && this.#random.below(2) === 0 && this.#random.pick(numbers)
    if (number) {
      const value = this.#random.below(1_000)
      // As the retype of a number makes it.
      const written = number.type === 'bigint' ? value * 1_000 + 500 : value
      return {
        text: `UPDATE ${table} SET ${quoteIdentifier(number.name)} = $2::bigint WHERE id = ${place}`,
        params: [token, written],
      }
    }
    const column = texts.length === 0 ? null : this.#random.pick(texts)
    if (kind === 'update' && column === null) return null
    if (kind === 'update')
      return { text: `UPDATE ${table} SET ${quoteIdentifier(column ?? '')} = $1 WHERE id = ${place}`, params: [token] }
    const columns = ['id', ...required, ...(column === null ? [] : [column])]
    const values = [randomUUID(), ...required.map(() => org), ...(column === null ? [] : [token])]
    const list = columns.map(quoteIdentifier).join(', ')
    return {
      text: `INSERT INTO ${table} (${list}) VALUES (${values.map((_, i) => `$${i + 1}`).join(', ')})`,
      params: values,
    }
  }
}
