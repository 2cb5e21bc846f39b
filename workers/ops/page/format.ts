import type { ConsumerLag, OpenWrite } from '../../health-contract.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A duration in the unit in which people would say it. */
export function duration(ms: number | null): string {
  if (ms === null) return '–'
  const abs = Math.max(0, ms)
  if (abs < SECOND_MS) return `${Math.round(abs)} ms`
  if (abs < MINUTE_MS) return `${(abs / SECOND_MS).toFixed(abs < 10 * SECOND_MS ? 1 : 0)} s`
  if (abs < HOUR_MS) return `${Math.round(abs / MINUTE_MS)} min`
  if (abs < 2 * DAY_MS) return `${(abs / HOUR_MS).toFixed(1)} h`
  return `${Math.round(abs / DAY_MS)} d`
}

export function bytes(count: number | null): string {
  if (count === null) return '–'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = count
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

export function count(value: number | null): string {
  return value === null ? '–' : value.toLocaleString('en')
}

/** An id or a position, short enough for a table; whole in its title. */
export function short(text: string | null, most = 14): string {
  if (text === null) return '–'
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

/** A place in the log as Postgres writes it. */
export function place(lsn: string | null): string {
  if (lsn === null || !/^[0-9a-f]{16}$/.test(lsn)) return lsn ?? '–'
  const part = (text: string) => Number.parseInt(text, 16).toString(16).toUpperCase()
  return `${part(lsn.slice(0, 8))}/${part(lsn.slice(8))}`
}

/** Names the transaction that keeps the log from there on. */
export function sayWrite(write: OpenWrite | null): string {
  if (write === null) return 'none'
  const who = write.pid === null ? 'a prepared transaction' : `process ${write.pid}`
  return `${who}, open for ${duration(write.ms)}${write.statement === null ? '' : `: ${write.statement}`}`
}

/** Tells how far each consumer of all changes is behind. */
export function sayConsumers(lags: readonly ConsumerLag[]): string {
  const told = lags.map(({ name, isLost, lagMs }) => `${name} ${isLost ? 'lost changes' : duration(lagMs)}`)
  return told.length === 0 ? 'none' : told.join(', ')
}
