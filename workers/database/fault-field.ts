import { TidemarkError } from '../../protocol/index.ts'

/** Returns a field of Postgres' own error, two causes deep; null where it has none. */
export function faultField(error: unknown, field: string): string | null {
  const fault = error instanceof TidemarkError && error.cause instanceof Error ? error.cause.cause : null
  if (typeof fault !== 'object' || fault === null || !Object.hasOwn(fault, field)) return null
  const value = (fault as Readonly<Record<string, unknown>>)[field]
  return typeof value === 'string' && value !== '' ? value : null
}
