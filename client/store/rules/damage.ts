/** Postgres' words for files that are missing or hold what they never should; nothing else counts as damage. */
const DAMAGE: readonly RegExp[] = [
  /could not locate a (valid|required) checkpoint record/,
  /could not (open|access|stat) (the server configuration )?(file|directory) "[^"]*": No such file or directory/,
  /could not load \S*pg_hba\.conf/,
  /could not read (file|blocks?) .*: read (only )?\d+ of \d+/,
  /is not a valid data directory/,
  /required WAL directory .* does not exist/,
  /The database subdirectory .* is missing/,
  /invalid page in block/,
  /contains invalid data/,
  /contains? invalid |incorrect checksum/,
  /could not access status of transaction/,
  /configuration file .* contains errors/,
  /database cluster was initialized with/,
  /(unexpected|invalid) .* in (control|WAL) file/,
]

/** Errors that an open database raises when it is damaged: data_corrupted, index_corrupted, and a table's file that is gone. */
const DAMAGE_STATES: readonly string[] = ['XX001', 'XX002']

const OTHER_POSTGRES: readonly RegExp[] = [
  /initialized by PostgreSQL version (\d+), which is not compatible with this version (\d+)/,
  /initialized with CATALOG_VERSION_NO (\d+), but the server was compiled with CATALOG_VERSION_NO (\d+)/,
]

/** The state of the stored files, by the words of a failed start or statement. */
export type Verdict =
  /** The files cannot be read by anything. */
  | { readonly kind: 'damaged'; readonly why: string }
  /** A Postgres of another version wrote them. */
  | { readonly kind: 'older' | 'newer'; readonly why: string }
  /** The words say nothing of the files: memory, rights, room, a module that did not load. */
  | { readonly kind: 'unknown'; readonly why: string | null }

const FATAL = /\b(FATAL|PANIC):\s+(.*)$/
/** Time and process, as Postgres begins each line of its log. */
const PREFIX = /^\S+ \S+ \S+ \[\d+\] /

/** Judges what Postgres wrote while it did not start. */
export function judgeWords(words: readonly string[]): Verdict {
  const lines = words.map((line) => line.replace(PREFIX, ''))
  const other = lines.flatMap((line) => OTHER_POSTGRES.map((words) => words.exec(line))).find((found) => found !== null)
  if (other) return { kind: Number(other[1]) > Number(other[2]) ? 'newer' : 'older', why: other[0] }
  const fatal = lines.findIndex((line) => FATAL.test(line) || line.startsWith('postgres: '))
  if (fatal < 0) return { kind: 'unknown', why: null }
  const last = lines.slice(fatal)
  const why = FATAL.exec(last[0] ?? '')?.[2] ?? last[0] ?? ''
  const isDamage = last.some((line) => !/^HINT/.test(line) && DAMAGE.some((words) => words.test(line)))
  return { kind: isDamage ? 'damaged' : 'unknown', why }
}

/** Judges an error of the open database, whose state a worker does not pass on. */
export function judgeError(message: string, state: unknown): Verdict {
  const isDamage =
    (typeof state === 'string' && DAMAGE_STATES.includes(state)) ||
    /^(invalid page in block|could not (open|read) (file|blocks?) .*"(base|global|pg_\w+)\/)/.test(message)
  return isDamage ? { kind: 'damaged', why: message } : { kind: 'unknown', why: null }
}
