import { asLsn, type Lsn, TidemarkError } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'

/** Asks for the server's head now, which captures everything committed before. Rejects with TidemarkError. */
export async function askFreshHead(
  http: Http,
  clientId: string,
  signal: AbortSignal,
): Promise<{ readonly epoch: string; readonly lsn: Lsn }> {
  const answer = await http.json(`/sync/head?client=${clientId}`, signal)
  const found = typeof answer === 'object' && answer !== null && 'epoch' in answer && 'lsn' in answer ? answer : null
  if (typeof found?.epoch !== 'string' || typeof found.lsn !== 'string') {
    throw new TidemarkError('unavailable', 'The answer to /sync/head is not from a Tidemark server.')
  }
  return { epoch: found.epoch, lsn: asLsn(found.lsn) }
}
