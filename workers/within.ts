/** Waits for the work, but no longer than this; rejects as the work does. */
export async function within(mostMs: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | null = null
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, mostMs)
  })
  try {
    await Promise.race([work, patience])
  } finally {
    if (timer !== null) clearTimeout(timer)
  }
}
