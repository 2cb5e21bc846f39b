import type { HealthCheck } from '../contracts.ts'

export type HealthStatus = HealthCheck['status']

interface Figures {
  readonly value?: number | string | null
  readonly threshold?: number | null
  readonly unit?: string | null
}

function check(name: string, status: HealthStatus, message: string, figures: Figures = {}): HealthCheck {
  return {
    name,
    status,
    value: figures.value ?? null,
    threshold: figures.threshold ?? null,
    unit: figures.unit ?? null,
    message,
  }
}

export function okCheck(name: string, figures?: Figures): HealthCheck {
  return check(name, 'ok', '', figures)
}

/** Makes a warning; `message` states what it means and what to do. */
export function warnCheck(name: string, message: string, figures?: Figures): HealthCheck {
  return check(name, 'warn', message, figures)
}

/** Makes a failure; `message` states what it means and what to do. */
export function failCheck(name: string, message: string, figures?: Figures): HealthCheck {
  return check(name, 'fail', message, figures)
}

/**
 * Judges one figure by two limits, above which it warns or fails; its `threshold` is then the limit that was passed.
 */
export function limitCheck(
  name: string,
  value: number,
  limits: { readonly warn: number; readonly fail: number; readonly unit: string },
  message: string,
): HealthCheck {
  const { warn, fail, unit } = limits
  if (value > fail) return failCheck(name, message, { value, threshold: fail, unit })
  if (value > warn) return warnCheck(name, message, { value, threshold: warn, unit })
  return okCheck(name, { value, threshold: warn, unit })
}

/** Sums up: one failure fails the whole, else one warning warns; nothing checked is no failure. */
export function overallStatus(checks: readonly HealthCheck[]): HealthStatus {
  if (checks.some((one) => one.status === 'fail')) return 'fail'
  return checks.some((one) => one.status === 'warn') ? 'warn' : 'ok'
}
