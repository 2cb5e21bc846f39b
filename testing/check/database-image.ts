import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { FILES_OF_IMAGE } from '../../client/store/image-files.ts'
import { OWN_SCHEMA } from '../../client/store/own-code-ddl.ts'
import { makeOwnSchema } from '../../client/store/own-schema.ts'

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** The bytes of a tar's header, and of each block that its files fill. */
const BLOCK = 512
/** Log files in which it does not go on, and maps of free and visible rows, which Postgres makes as it needs them. */
const NEEDLESS = /^pg_wal\/[0-9A-F]{24}$|_fsm$|_vm$/
/** The bytes of a page of Postgres' log. */
const PAGE = 8192

/**
 * Answers the data directory of a database that holds a replica's own schema and nothing else, as a gzipped tar; made
 * once for each version of PGlite, of that schema and of this file, because it takes seconds.
 */
export async function databaseImage(): Promise<Buffer> {
  const cached = pathOf(`../../node_modules/.cache/tidemark/database-image-${fingerprint()}.bin`)
  if (existsSync(cached)) return readFileSync(cached)
  const image = await makeImage()
  mkdirSync(dirname(cached), { recursive: true })
  // Several processes may make it at once; each puts a whole one in place.
  const own = `${cached}.${process.pid}`
  writeFileSync(own, image)
  renameSync(own, cached)
  return image
}

function fingerprint(): string {
  const hash = createHash('sha256')
  for (const source of ['../../node_modules/@electric-sql/pglite/package.json', './database-image.ts']) {
    hash.update(readFileSync(pathOf(source)))
  }
  return hash.update(OWN_SCHEMA).digest('hex').slice(0, 16)
}

async function makeImage(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-image-'))
  try {
    const log = await makeDatabase(folder)
    // Level 9 takes a second once, and saves each new user a tenth.
    const { tar, files } = tarOf(folder, log)
    if (files !== FILES_OF_IMAGE)
      throw new Error(`The image holds ${files} files; client/store/image-files.ts says ${FILES_OF_IMAGE}.`)
    return gzipSync(tar, { level: 9 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Makes a database and shuts it down; answers the file of the log in which it goes on. */
async function makeDatabase(folder: string): Promise<string> {
  const db = await PGlite.create(folder)
  await db.transaction(makeOwnSchema)
  // PGlite has one database: the two templates for others are twice its size, and opening waits for files above all.
  await db.exec(`UPDATE pg_database SET datistemplate = false WHERE datname LIKE 'template_'`)
  await db.exec('DROP DATABASE template0')
  await db.exec('DROP DATABASE template1')
  // Everything that initdb logged is in the tables, so a fresh file of the log holds next to nothing.
  await db.exec('CHECKPOINT')
  await db.exec('SELECT pg_switch_wal()')
  await db.exec('CHECKPOINT')
  const { rows } = await db.query<{ file: string }>('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS file')
  await db.close()
  return rows[0]?.file ?? ''
}

function tarOf(folder: string, log: string): { readonly tar: Buffer; readonly files: number } {
  const blocks: Buffer[] = []
  let files = 0
  const add = (path: string) => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const name = `${path}${entry.name}`
      if (entry.isDirectory()) {
        blocks.push(header(name, '5', 0))
        add(`${name}/`)
      } else if (entry.name === log || !NEEDLESS.test(name)) {
        const content = contentOf(join(folder, name), entry.name === log)
        files += 1
        blocks.push(header(name, '0', content.length), content, Buffer.alloc(-content.length & (BLOCK - 1)))
      }
    }
  }
  add('')
  return { tar: Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), files }
}

/** Reads a file; the log without its last zeros, because Postgres writes on from its end as it does from zeros. */
function contentOf(path: string, isLog: boolean): Buffer {
  const content = readFileSync(path)
  if (!isLog) return content
  const used = content.findLastIndex((byte) => byte !== 0) + 1
  return content.subarray(0, Math.ceil(used / PAGE) * PAGE)
}

/** Makes a header of the ustar format, without times and owners, which nobody reads. */
function header(name: string, type: '0' | '5', size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  block.write(name, 0, 100)
  block.write(type === '5' ? '0000700' : '0000600', 100)
  block.write('0000000', 108)
  block.write('0000000', 116)
  block.write(size.toString(8).padStart(11, '0'), 124)
  block.write('00000000000', 136)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\u000000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
