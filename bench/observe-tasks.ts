/** What a page whose tasks are observed leaves on its window. */
export interface ObservedWindow {
  /** Answers the longest task of the main thread since the last call, in ms; 0 where none took 50 ms. */
  longestTask(): Promise<number>
  /** Keeps the page busy on purpose. Throws where the observer did not see it, and so would see nothing else. */
  checkObserver(): Promise<void>
}

/** Observes the tasks of a page's main thread. It goes into a page by its text, and so refers to nothing outside. */
export function observeTasks(): void {
  /** Longer than what counts as a long task, by as much as a clock may be wrong. */
  const controlMs = 80
  let longestMs = 0
  const note = (entries: readonly PerformanceEntry[]) => {
    for (const { duration } of entries) longestMs = Math.max(longestMs, duration)
  }
  const observer = new PerformanceObserver((list) => note(list.getEntries()))
  observer.observe({ type: 'longtask' })

  async function longestTask(): Promise<number> {
    // The task that calls this counts too, and is told once it is over.
    await new Promise((done) => setTimeout(done))
    note(observer.takeRecords())
    const longest = longestMs
    longestMs = 0
    return longest
  }

  async function checkObserver(): Promise<void> {
    await longestTask()
    await new Promise<void>((done) =>
      setTimeout(() => {
        const untilMs = performance.now() + controlMs
        while (performance.now() < untilMs);
        done()
      }),
    )
    const seenMs = await longestTask()
    if (seenMs < controlMs) throw new Error(`A task of ${controlMs} ms was seen as one of ${seenMs} ms.`)
  }
  Object.assign(window, { longestTask, checkObserver } satisfies ObservedWindow)
}
