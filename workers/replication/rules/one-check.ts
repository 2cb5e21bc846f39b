import type { HealthCheck } from '../../contracts.ts'

/** Makes a check; its message, what is the matter and what to do, stands only in one that is not fine. */
export function check(
  name: string,
  status: HealthCheck['status'],
  value: HealthCheck['value'],
  message: string,
  unit: string | null = null,
  threshold: number | null = null,
): HealthCheck {
  return { name, status, value, threshold, unit, message: status === 'ok' ? '' : message }
}

/** Judges a figure by the limits above which it warns and fails; one that is not known is fine. */
export function limited(
  name: string,
  value: number | null,
  unit: string,
  limits: { readonly warn: number; readonly fail?: number },
  message: string,
): HealthCheck {
  const { warn, fail = Number.POSITIVE_INFINITY } = limits
  const isOver = (limit: number) => value !== null && value > limit
  const status = isOver(fail) ? 'fail' : isOver(warn) ? 'warn' : 'ok'
  return check(name, status, value, message, unit, status === 'fail' ? fail : warn)
}
