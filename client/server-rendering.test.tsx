import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { renderToString } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import {
  ReplicaProvider,
  useFailures,
  useLiveQuery,
  useMutationStatus,
  useMutations,
  useReplicaOpening,
  useSyncStatus,
} from './react/index.ts'

const ENTRIES = ['index.ts', 'react/index.ts', 'tanstack/index.ts', 'testing/index.ts']

const options = {
  url: 'https://app.example',
  user: 'ann',
  token: () => 'token',
  sync: { tables: {} },
}

describe('RCT-R1 rendering on a server', () => {
  it.each(ENTRIES)('RCT-R1 imports %s without window, and without WebAssembly or PGlite', (entry) => {
    const url = new URL(entry, import.meta.url).href
    // Each in a process of its own, where any use of these would throw.
    const script = `
      for (const name of ['window', 'document', 'WebAssembly', 'indexedDB', 'Worker'])
        Object.defineProperty(globalThis, name, { get() { throw new Error(name + ' is used') } })
      const { registerHooks } = await import('node:module')
      registerHooks({ resolve(name, context, next) {
        if (name.startsWith('@electric-sql')) throw new Error(name + ' is loaded')
        return next(name, context)
      } })
      console.log(Object.keys(await import(${JSON.stringify(url)})).length > 0)`
    // The sources hold JSX, which Node does not strip: what is published is plain JavaScript.
    const built = script.replace(url, pathToBuilt(entry))
    const answer = execFileSync(process.execPath, ['--input-type=module', '--eval', built], { encoding: 'utf8' })
    expect(answer.trim()).toBe('true')
  })

  it('RCT-R1 RCT-R4 renders a component of all hooks, with the rows that the server read', () => {
    function All() {
      const { rows, isStale } = useLiveQuery<{ title: string }>('SELECT title FROM note', [], {
        initialRows: { rows: [{ title: 'read by the server' }], lsn: '0/16B3748' },
      })
      const without = useLiveQuery('SELECT 1')
      const phase = useSyncStatus((status) => status.phase)
      const { replica, progress } = useReplicaOpening()
      const mutation = useMutationStatus('client:1')
      const counts = [useFailures().length, useMutations().length]
      return `${JSON.stringify({ rows, isStale, without: without.rows, phase, replica, progress, mutation, counts })}`
    }
    const html = renderToString(
      <ReplicaProvider options={options}>
        <All />
      </ReplicaProvider>,
    )
    expect(JSON.parse(html.replaceAll('&quot;', '"'))).toEqual({
      rows: [{ title: 'read by the server' }],
      isStale: true,
      without: null,
      phase: 'offline',
      replica: null,
      progress: 0,
      mutation: { status: null, isKnown: true, rejection: null },
      counts: [0, 0],
    })
  })

  it('RCT-R1 renders the fallback where there is one, and suspends into the boundary of the page', () => {
    const covered = renderToString(
      <ReplicaProvider options={options} fallback={({ progress }) => <p>{progress}</p>}>
        never
      </ReplicaProvider>,
    )
    expect(covered).toBe('<p>0</p>')
  })
})

const pathToBuilt = (entry: string) =>
  new URL(`../dist/client/${entry.replace(/\.ts$/, '.js')}`, `file://${fileURLToPath(import.meta.url)}`).href
