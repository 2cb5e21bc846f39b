/** The instrumented Worker's clock, and with it every alarm, runs this many times as fast as Postgres and the processor do. */
export const CLOCK_SPEED = 240

/** The figures that the platform bills for a class of objects, and the real time, `activeMs`, in which one had work. */
export interface ObjectCounts {
  requests: number
  rowsWritten: number
  activeMs: number
}
