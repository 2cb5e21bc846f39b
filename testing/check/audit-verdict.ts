/** The outcome of an audit: what to print, and whether what the package depends on must be changed. */
export interface AuditVerdict {
  readonly line: string
  readonly isBad: boolean
}

/** Judges the JSON that `npm audit` printed. An audit that could not be made, as without a network, is no finding. */
export function judgeAudit(printed: string): AuditVerdict {
  const found = countsIn(printed)
  if (found === null) return { line: 'The audit could not be made: the registry did not answer it.', isBad: false }
  const { high = 0, critical = 0 } = found
  const isBad = high + critical > 0
  return {
    line: isBad
      ? `${high} high and ${critical} critical advisories: see npm audit --omit=dev.`
      : 'No high advisory of what the package depends on.',
    isBad,
  }
}

function countsIn(printed: string): Readonly<Record<string, number>> | null {
  try {
    return JSON.parse(printed).metadata?.vulnerabilities ?? null
  } catch {
    return null
  }
}
