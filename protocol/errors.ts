/** The next step after an error: try again unchanged, never, or only after renewing something the caller holds. */
export type RetryRule = 'retry' | 'never' | 'after-renewal'

interface ErrorRule {
  /** WebSocket close code, from the 4000–4999 range left to applications. */
  readonly closeCode: number
  readonly httpStatus: number
  readonly retry: RetryRule
  readonly level: 'debug' | 'info' | 'warn' | 'error'
}

/** Every kind of error and its consequences. Metric labels use the keys: rename none. */
export const ERROR_RULES = {
  /** A frame, request or option that does not have the form it must have. */
  'bad-input': { closeCode: 4400, httpStatus: 400, retry: 'never', level: 'warn' },
  /** No token, or one that does not verify. */
  unauthenticated: { closeCode: 4401, httpStatus: 401, retry: 'after-renewal', level: 'info' },
  /** The token was good and has run out. */
  'token-expired': { closeCode: 4402, httpStatus: 401, retry: 'after-renewal', level: 'info' },
  /** A verified user asks for what is not theirs: a client id, the operators' pages. */
  forbidden: { closeCode: 4403, httpStatus: 403, retry: 'never', level: 'warn' },
  /** Absent, or not yours: the two are never told apart. */
  'not-found': { closeCode: 4404, httpStatus: 404, retry: 'never', level: 'debug' },
  /** The two sides do not speak the same protocol or schema. */
  'upgrade-required': { closeCode: 4426, httpStatus: 426, retry: 'never', level: 'warn' },
  /** A size, a rate or a count is too large. */
  'limit-exceeded': { closeCode: 4413, httpStatus: 413, retry: 'never', level: 'warn' },
  'rate-limited': { closeCode: 4429, httpStatus: 429, retry: 'retry', level: 'warn' },
  /** The history this client followed is gone or broken; it hydrates anew. */
  'rehydrate-required': { closeCode: 4410, httpStatus: 410, retry: 'retry', level: 'info' },
  /** Something that this needs is down or busy. */
  unavailable: { closeCode: 4503, httpStatus: 503, retry: 'retry', level: 'warn' },
  /** The database lacks what capture needs: setting, slot, key, identity, role. */
  misconfigured: { closeCode: 4500, httpStatus: 500, retry: 'retry', level: 'error' },
  /** A synced table no longer has the shape of its definition. */
  'schema-drift': { closeCode: 4501, httpStatus: 500, retry: 'retry', level: 'error' },
  /** Bytes that fail their checksum, rows that contradict the stream. */
  corrupt: { closeCode: 4502, httpStatus: 500, retry: 'retry', level: 'error' },
  /** The replica is open elsewhere in this browser profile. */
  'already-open': { closeCode: 4409, httpStatus: 409, retry: 'never', level: 'info' },
  /** The device refuses storage: quota, private mode, no backend. */
  storage: { closeCode: 4507, httpStatus: 507, retry: 'never', level: 'error' },
  /** Something on this device gives no sign of life: not refused, not full; another attempt may go through. */
  stalled: { closeCode: 4504, httpStatus: 504, retry: 'retry', level: 'error' },
  /** The tab's transaction is over: it took too long, or the tab that ran it for all is gone. Nothing of it was kept. */
  'lease-ended': { closeCode: 4505, httpStatus: 409, retry: 'retry', level: 'info' },
  /** The tab that did it for all is gone before it could answer: it may have happened. */
  'outcome-unknown': { closeCode: 4506, httpStatus: 409, retry: 'never', level: 'warn' },
  /** No key is left of those that this replica leased of a sequence: once it is online it leases more. */
  'keys-exhausted': { closeCode: 4508, httpStatus: 409, retry: 'never', level: 'info' },
  /** A fault of our own. */
  internal: { closeCode: 4599, httpStatus: 500, retry: 'retry', level: 'error' },
} as const satisfies Record<string, ErrorRule>

export type ErrorKind = keyof typeof ERROR_RULES

/**
 * The one error type: a kind from `ERROR_RULES`, a message that says what to do, and its cause.
 *
 * Messages reach clients: they never hold a value, name or count that the reader may not see.
 */
export class TidemarkError extends Error {
  override readonly name = 'TidemarkError'
  readonly kind: ErrorKind
  /** The time for which the other side asks to be left alone; null where it gave none. */
  readonly retryAfterMs: number | null

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown; retryAfterMs?: number | null }) {
    super(message, options)
    this.kind = kind
    this.retryAfterMs = options?.retryAfterMs ?? null
  }

  get retry(): RetryRule {
    return ERROR_RULES[this.kind].retry
  }

  get httpStatus(): number {
    return ERROR_RULES[this.kind].httpStatus
  }

  get closeCode(): number {
    return ERROR_RULES[this.kind].closeCode
  }
}

/** Wraps an error that is not ours once, at an entry; ours pass unchanged. */
export function toTidemarkError(error: unknown, kind: ErrorKind = 'internal'): TidemarkError {
  if (error instanceof TidemarkError) return error
  return new TidemarkError(kind, error instanceof Error ? error.message : String(error), { cause: error })
}

/** Returns the kind that a WebSocket close code stands for; `unavailable` for codes that are not ours. */
export function kindOfCloseCode(closeCode: number): ErrorKind {
  const found = Object.entries(ERROR_RULES).find(([, rule]) => rule.closeCode === closeCode)
  return (found?.[0] as ErrorKind | undefined) ?? 'unavailable'
}
