import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A process that answers each line it is sent by one line of JSON. */
export interface TalkingProcess {
  /** Answers the next line it prints; rejects when it ends before. */
  line(): Promise<unknown>
  ask(line: string): Promise<unknown>
  /** Ends its input and waits until it ends by itself; rejects when it ends with a fault. */
  end(): Promise<void>
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
}

export function startProcess(command: string, args: readonly string[]): TalkingProcess {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(code === null ? String(signal) : `exit code ${code}`)),
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const next = await lines.next()
    if (next.done) throw new Error(`${command} ended (${await ended}) before it answered:\n${said}`)
    return JSON.parse(next.value)
  }
  return {
    line,
    async ask(question) {
      child.stdin.write(`${question}\n`)
      return await line()
    },
    async end() {
      child.stdin.end()
      const how = await ended
      if (how !== 'exit code 0') throw new Error(`${command} ended with ${how}:\n${said}`)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
