import { servers } from '../postgres/servers.ts'
import type { TestServer } from '../postgres/test-server.ts'

export interface CaptureCase {
  readonly decoder: 'wal2json' | 'pgoutput'
  readonly server: 'embedded' | 'system' | 'newer'
  /** True where NaN and infinities of numeric columns arrive. */
  readonly numbers: boolean
}

/** Both decoders; wal2json of the distribution (2.5), and 2.6 where the run has a server with it. */
export const captureCases: readonly CaptureCase[] = [
  { decoder: 'wal2json', server: 'system', numbers: false },
  { decoder: 'pgoutput', server: 'embedded', numbers: true },
  { decoder: 'pgoutput', server: 'system', numbers: true },
  ...(servers().newer ? [{ decoder: 'wal2json', server: 'newer', numbers: true } as const] : []),
]

export function serverNamed(name: CaptureCase['server']): TestServer {
  const found = servers()[name]
  if (!found) throw new Error('NEWER_POSTGRES names no server.')
  return found
}
