const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const calendar = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })
const precise = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })
const clock = new Intl.DateTimeFormat('en', { timeStyle: 'medium' })
const integer = new Intl.NumberFormat('en')

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

export function formatAgo(time: Date, nowMs: number): string {
  const elapsedMs = nowMs - time.getTime()
  if (elapsedMs < MINUTE_MS) return 'now'
  if (elapsedMs < HOUR_MS) return relative.format(-Math.round(elapsedMs / MINUTE_MS), 'minute')
  if (elapsedMs < DAY_MS) return relative.format(-Math.round(elapsedMs / HOUR_MS), 'hour')
  if (elapsedMs < 30 * DAY_MS) return relative.format(-Math.round(elapsedMs / DAY_MS), 'day')
  return calendar.format(time)
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(bytes < 10_000 ? 1 : 0)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

export const formatCount = (count: number) => integer.format(count)
export const formatDate = (time: Date) => calendar.format(time)
export const formatDateTime = (time: Date) => precise.format(time)
export const formatClock = (time: Date) => clock.format(time)
