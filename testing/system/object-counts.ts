/** The instrumented Worker's clock, and with it every alarm, runs this many times as fast as Postgres and the processor do. */
export const CLOCK_SPEED = 240

/** What the platform bills of one class of objects, and `activeMs` of real time in which one had work. */
export interface ObjectCounts {
  requests: number
  rowsWritten: number
  activeMs: number
}
