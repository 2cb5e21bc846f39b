import { mutationId } from '../../protocol/index.ts'
import { type LogSettings, log, logs } from '../log.ts'
import type { RoutedBatch } from './rules/subscription.ts'

/** Logs what a batch stored: from here on a mutation is found by the end of its transaction too. Rule OPS-R16. */
export function logBatch(settings: LogSettings, { epoch, from, to, stored }: RoutedBatch): void {
  if (stored.rows === 0 || !logs(settings, 'debug')) return
  for (const { client, counter, lsn } of stored.mutations)
    log(settings, 'mutation-captured', { mutation: mutationId(client, counter), client, epoch, lsn })
  log(settings, 'batch-captured', { epoch, from, to, count: stored.transactions, rows: stored.rows })
}
