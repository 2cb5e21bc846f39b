const noted = new WeakMap<Error, readonly object[]>()

/** Keeps beside an error what its statement had given as notices before it failed. */
export function noteNotices(error: unknown, notices: readonly object[]): void {
  if (error instanceof Error && notices.length > 0) noted.set(error, notices)
}

export const noticesOf = (error: unknown): readonly object[] => (error instanceof Error && noted.get(error)) || []
