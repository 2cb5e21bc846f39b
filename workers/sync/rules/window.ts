/** The characters of frames sent on a socket, and of those the client has acknowledged. */
export interface Window {
  readonly sent: number
  readonly acked: number
}

/** Answers whether more may be sent: at most the window, plus one frame or one change, is then unacknowledged. */
export function mayServe(window: Window, windowChars: number): boolean {
  return window.sent - window.acked < windowChars
}

/**
 * Answers the window after an acknowledgement; null when it claims more than was sent. A late one changes nothing.
 * `uncounted`: so many characters may have been sent besides, and one that tells of them has them counted.
 */
export function acknowledge(window: Window, received: number, uncounted = 0): Window | null {
  if (received > window.sent + uncounted) return null
  return { sent: Math.max(window.sent, received), acked: Math.max(window.acked, received) }
}

/** Answers whether an idle session may be told the head: at once while its stream is young, else once an interval. */
export function mayNotice(
  times: { readonly lastSentMs: number; readonly streamSinceMs: number },
  intervals: { readonly headNoticeMs: number; readonly eagerMs: number },
  nowMs: number,
): boolean {
  if (nowMs - times.streamSinceMs < intervals.eagerMs) return true
  return nowMs - times.lastSentMs >= intervals.headNoticeMs
}
