/** A day: the longest pause of capture, far below the 40 hours after which Neon drops a slot that does not move. */
export const LONGEST_PAUSE_MINUTES = 24 * 60
