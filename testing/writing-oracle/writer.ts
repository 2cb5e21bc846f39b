import { type ChildProcess, fork } from 'node:child_process'
import { appendFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Look, Operation, Retry, WriterAnswer, WriterRequest } from './operation.ts'
import type { JournalDamage } from './plan-writing.ts'

export interface WriterOptions {
  readonly name: string
  readonly user: string
  readonly orgs: readonly string[]
  /** A directory, so that everything durable is there after a kill. */
  readonly storage: string
  readonly visits: boolean
}

const SCRIPT = fileURLToPath(new URL('./writer-process.ts', import.meta.url))

/** A replica in a process of its own. */
export class Writer {
  readonly options: WriterOptions
  readonly #url: string
  readonly #token: string
  #child: ChildProcess | null = null
  #asked = 0
  readonly #waiting = new Map<number, { resolve: (answer: WriterAnswer) => void; reject: (error: Error) => void }>()

  constructor(options: WriterOptions, url: string, token: string) {
    this.options = options
    this.#url = url
    this.#token = token
  }

  async open(): Promise<void> {
    const child = fork(SCRIPT, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child = child
    child.on('message', (message: { readonly number: number; readonly answer: WriterAnswer }) => {
      const waiting = this.#waiting.get(message.number)
      this.#waiting.delete(message.number)
      waiting?.resolve(message.answer)
    })
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.options.name} ended.`))
      this.#waiting.clear()
    })
    const { user, storage, visits } = this.options
    await this.#must({ do: 'open', url: this.#url, token: this.#token, user, storage, visits })
  }

  /** Performs an operation; a refusal by the replica is an answer like any other, with null for the id. */
  async perform(operation: Operation): Promise<{ readonly id: string | null; readonly refused: string | null }> {
    const answer = await this.#ask({ do: 'operation', operation })
    return answer.ok ? { id: answer.id, refused: null } : { id: null, refused: answer.message }
  }

  async tell(what: 'online' | 'offline'): Promise<void> {
    await this.#must({ do: what })
  }

  async retryFailures(): Promise<readonly Retry[]> {
    return (await this.#must({ do: 'retryFailures' })).retries
  }

  /** Undoes the last mutation; does nothing where something written later is in the way. */
  async undo(): Promise<void> {
    await this.#ask({ do: 'undo' })
  }

  settle(): Promise<WriterAnswer> {
    return this.#ask({ do: 'settle' })
  }

  async look(tables: readonly string[], invariants: readonly string[]): Promise<Look> {
    const answer = await this.#must({ do: 'look', tables, invariants })
    if (!answer.look) throw new Error('Nothing was looked at.')
    return answer.look
  }

  /** Kills the process like a tab, without a goodbye, in the middle of anything. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || child.exitCode !== null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGKILL')
    await ended
  }

  /** Removes the database of a writer that is not running; files beside it stay. */
  async loseDatabase(): Promise<void> {
    const { storage } = this.options
    const own = new RegExp(`^${basename(storage)}-[0-9a-f]+$`)
    for (const name of await readdir(dirname(storage)))
      if (own.test(name)) await rm(join(dirname(storage), name), { recursive: true })
  }

  /** Damages the journal of a writer that is not running. */
  async damageJournal(damage: JournalDamage): Promise<void> {
    const { storage } = this.options
    const own = new RegExp(`^${basename(storage)}-[0-9a-f]+\\.journal-[01]$`)
    for (const name of await readdir(dirname(storage)))
      if (own.test(name)) await damageFile(join(dirname(storage), name), damage)
  }

  async #must(request: WriterRequest): Promise<Extract<WriterAnswer, { ok: true }>> {
    const answer = await this.#ask(request)
    if (!answer.ok) throw new Error(`${this.options.name}: ${request.do}: ${answer.message}`)
    return answer
  }

  #ask(request: WriterRequest): Promise<WriterAnswer> {
    const child = this.#child
    if (!child) return Promise.reject(new Error(`${this.options.name} is not running.`))
    const number = ++this.#asked
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      child.send({ number, request })
    })
  }
}

async function damageFile(path: string, damage: JournalDamage): Promise<void> {
  if (damage.how === 'removed') return rm(path)
  const bytes = await readFile(path)
  // The file's own beginning, appended to it, looks like a record that is not whole.
  if (damage.how === 'torn') return appendFile(path, bytes.subarray(0, Math.min(9, bytes.length - 1)))
  const at = Math.floor(damage.at * bytes.length)
  if (damage.how === 'cut') return truncate(path, at)
  bytes.fill(0x5a, at, at + 8)
  await writeFile(path, bytes)
}
