import { TidemarkError } from '../../protocol/index.ts'
import type { Alive } from './life-signs.ts'

/** PGlite may be silent this long while it starts, which takes minutes on some devices and can also hang for good. */
const SILENCE_MS = 60_000

/**
 * Awaits `run` for as long as it gives signs of life. Throws `stalled` once there was none for a minute; a result that
 * comes all the same after that is given to `tooLate`.
 */
export async function whileAlive<Result>(
  run: (alive: Alive) => Promise<Result>,
  tooLate: (result: Result) => void,
  { silenceMs = SILENCE_MS, alive = () => undefined }: { silenceMs?: number; alive?: Alive | undefined } = {},
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastMs = Date.now()
  let isLate = false
  const running = run((signs) => {
    lastMs = Date.now()
    if (!isLate) alive(signs)
  })
  const late = new Promise<never>((_, reject) => {
    const look = () => {
      const silentMs = Date.now() - lastMs
      if (silentMs < silenceMs) {
        timer = setTimeout(look, silenceMs - silentMs)
        return
      }
      isLate = true
      running.then(tooLate, () => undefined)
      reject(
        new TidemarkError(
          'stalled',
          `The local database has given no sign of life for ${Math.round(silenceMs / 1000)} s while it started. Nothing is lost: try again, or reload the page.`,
        ),
      )
    }
    timer = setTimeout(look, silenceMs)
  })
  try {
    return await Promise.race([running, late])
  } finally {
    clearTimeout(timer)
  }
}
