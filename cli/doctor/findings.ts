import type { HealthCheck } from '../../workers/contracts.ts'

const MARKS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const

/** Formats one finding: its figures on the first line, the remedy below. */
export function findingLines(check: HealthCheck): string {
  const unit = check.unit === null ? '' : ` ${check.unit}`
  const threshold = check.threshold === null ? '' : ` (limit ${check.threshold}${unit})`
  const figures = check.value === null ? '' : `: ${check.value}${unit}${threshold}`
  const remedy = check.message === '' ? '' : `\n        ${check.message.replaceAll('\n', '\n        ')}`
  return `  ${MARKS[check.status]}  ${check.name}${figures}${remedy}`
}

/** Words the closing line. */
export function verdict(checks: readonly HealthCheck[]): string {
  const failed = checks.filter((check) => check.status === 'fail').length
  const warned = checks.filter((check) => check.status === 'warn').length
  if (failed > 0) return `${count(failed, 'check')} failed: mend and run this again.`
  if (warned > 0) return `Ready, with ${count(warned, 'warning')}.`
  return 'Ready.'
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
