/** Characters of frames sent on a socket, and how many of them the client says it has received. */
export interface Window {
  readonly sent: number
  readonly acked: number
}

/** Whether another frame may be sent: bounded by what is sent and not acknowledged, plus one frame or one change. */
export function mayServe(window: Window, windowChars: number): boolean {
  return window.sent - window.acked < windowChars
}

/** The window after an acknowledgement; null when it claims more than was ever sent. Late acknowledgements change nothing. */
export function acknowledge(window: Window, received: number): Window | null {
  if (received > window.sent) return null
  return { sent: window.sent, acked: Math.max(window.acked, received) }
}

/** When an idle session is told the head: at once after its stream began, else at most once per interval. */
export function mayNotice(
  times: { readonly lastSentMs: number; readonly streamSinceMs: number },
  intervals: { readonly headNoticeMs: number; readonly eagerMs: number },
  nowMs: number,
): boolean {
  if (nowMs - times.streamSinceMs < intervals.eagerMs) return true
  return nowMs - times.lastSentMs >= intervals.headNoticeMs
}
