/** A finger that rests on a card for this long picks it up. */
const HOLD_MS = 350
const PICKED_UP_VIBRATION_MS = 10
/** A click wobbles less than this. */
const WOBBLE_PX = 5
const FINGER_WOBBLE_PX = 10
/** A card held this near to the left or right edge scrolls the board. */
const EDGE_PX = 48
const EDGE_SCROLL_PX_PER_MS = 0.6

/** In CSS pixels within the window. */
export interface Point {
  readonly x: number
  readonly y: number
}

export interface Press {
  readonly isHeld: boolean
  /** Stops following, and leaves the card where it is. */
  end(): void
}

/**
 * Follows a press on a card: a mouse picks it up by moving, a finger by resting, while one that moves at once scrolls.
 * `onCarry` is called for the pick-up and for each move of the pointer, or of the board under it; `onEnd` is called
 * once, with null unless a held card was put down.
 */
export function followPress(
  down: PointerEvent,
  board: Element,
  steps: { onCarry(at: Point, start: Point): void; onEnd(at: Point | null): void },
): Press {
  const isFinger = down.pointerType === 'touch'
  const wobblePx = isFinger ? FINGER_WOBBLE_PX : WOBBLE_PX
  const following = new AbortController()
  const { signal } = following
  const start = pointOf(down)
  let at = start
  let isHeld = false
  let timer: number | undefined
  let frame = 0

  const pickUp = () => {
    isHeld = true
    steps.onCarry(at, start)
    scrollAtEdges(performance.now())
  }
  const scrollAtEdges = (beforeMs: number) => {
    frame = requestAnimationFrame((nowMs) => {
      const { left, right } = board.getBoundingClientRect()
      const scrolledPx = board.scrollLeft
      // Only after a move towards an edge, since a card may be picked up beside it.
      const isAtLeft = at.x < Math.min(left + EDGE_PX, start.x - wobblePx)
      const isAtRight = at.x > Math.max(right - EDGE_PX, start.x + wobblePx)
      board.scrollLeft += (Number(isAtRight) - Number(isAtLeft)) * EDGE_SCROLL_PX_PER_MS * (nowMs - beforeMs)
      if (board.scrollLeft !== scrolledPx) steps.onCarry(at, start)
      scrollAtEdges(nowMs)
    })
  }
  const end = (place: Point | null) => {
    if (signal.aborted) return
    following.abort()
    clearTimeout(timer)
    cancelAnimationFrame(frame)
    isHeld = false
    steps.onEnd(place)
  }
  const hear = (type: 'pointermove' | 'pointerup' | 'pointercancel', listen: () => void) => {
    const listener = (event: PointerEvent) => {
      if (event.pointerId !== down.pointerId) return
      at = pointOf(event)
      listen()
    }
    window.addEventListener(type, listener, { signal })
  }

  hear('pointermove', () => {
    if (isHeld) steps.onCarry(at, start)
    else if (Math.hypot(at.x - start.x, at.y - start.y) < wobblePx) return
    else if (isFinger) end(null)
    else pickUp()
  })
  hear('pointerup', () => end(isHeld ? at : null))
  hear('pointercancel', () => end(null))
  if (isFinger) {
    timer = window.setTimeout(() => {
      navigator.vibrate?.(PICKED_UP_VIBRATION_MS)
      pickUp()
    }, HOLD_MS)
  }
  return {
    get isHeld() {
      return isHeld
    },
    end: () => end(null),
  }
}

function pointOf({ clientX, clientY }: PointerEvent): Point {
  return { x: clientX, y: clientY }
}
