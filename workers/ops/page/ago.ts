import { h } from './dom.ts'
import { duration } from './format.ts'

const TICK_MS = 1_000

/** By how much the server's clock is ahead of this one. */
let aheadMs = 0

export function noteServerTime(nowMs: number): void {
  aheadMs = nowMs - Date.now()
}

/** A time as an age that goes on by itself; whole in its title. */
export function ago(atMs: number | null): HTMLElement | string {
  if (atMs === null) return '–'
  const at = new Date(atMs)
  const element = h('time', { datetime: at.toISOString(), title: at.toLocaleString() })
  element.dataset.at = String(atMs)
  tick(element)
  return element
}

function tick(element: HTMLElement): void {
  const ms = Date.now() + aheadMs - Number(element.dataset.at)
  const text = ms < 0 ? `in ${duration(-ms)}` : `${duration(Math.max(ms, TICK_MS))} ago`
  if (element.textContent !== text) element.textContent = text
}

setInterval(() => {
  for (const element of document.querySelectorAll<HTMLElement>('time[data-at]')) tick(element)
}, TICK_MS)
