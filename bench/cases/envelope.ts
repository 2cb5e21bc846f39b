import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { System } from '../../testing/system/start-system.ts'
import { directUrl, HYDRATE_ROWS, LARGE_ORG, SMALL_ORG, tokenFor } from '../bench-system.ts'
import { type Figure, figure } from '../measure.ts'
import { processMb } from '../processes.ts'

const MEGABYTE = 2 ** 20

async function replicaMb(system: System, org: string): Promise<number> {
  const child = fork(new URL('../replica-process.ts', import.meta.url), { stdio: 'inherit' })
  const ended = once(child, 'exit').then(() => {
    throw new Error('The replica’s process ended.')
  })
  child.send({ url: directUrl(system), user: 'bench', token: await tokenFor(system, org, 'bench') })
  await Promise.race([once(child, 'message'), ended])
  const mb = processMb(child.pid ?? 0)
  child.disconnect()
  await ended.catch(() => {})
  return mb
}

/** Measures the memory that a replica takes in a Node process, by which the envelope's defaults are judged. */
export async function envelopeNode(system: System): Promise<Figure[]> {
  const fixedMb = await replicaMb(system, SMALL_ORG)
  const fullMb = await replicaMb(system, LARGE_ORG)
  const rowBytes = ((fullMb - fixedMb) * MEGABYTE) / HYDRATE_ROWS
  return [
    figure('envelope.node.fixed_mb', fixedMb, 'MB', null, 'a Node process with a replica of 200 issues, in memory'),
    figure(
      'envelope.node.row_bytes',
      rowBytes,
      'bytes',
      null,
      `memory a row beyond that, ${HYDRATE_ROWS} issues just loaded`,
    ),
  ]
}
