import {
  type KeyboardEvent,
  type MouseEvent,
  type PointerEvent as ReactPointerEvent,
  type RefCallback,
  useCallback,
  useRef,
  useState,
} from 'react'
import { type IssueState, issueState } from '../sync-tables.ts'
import type { BoardRow } from './board-query.ts'
import { followPress, type Press } from './follow-press.ts'

export interface Drag {
  readonly id: string
  readonly from: IssueState
  readonly over: IssueState
  /** The place to which the pointer has taken the card, in CSS pixels within `.issues`; null while keys move it. */
  readonly place: { readonly left: number; readonly top: number; readonly width: number } | null
}

type Card = Pick<BoardRow, 'id' | 'state'>

const STATES: readonly IssueState[] = issueState.enumValues

function stateUnder(x: number, y: number): IssueState | null {
  const column = document.elementsFromPoint(x, y).find((element) => element.matches('[data-column]'))
  return STATES.find((state) => state === column?.getAttribute('data-column')) ?? null
}

/**
 * Moves cards from state to state: by mouse, by a finger that rests on one first, or by keys: Space picks up and puts
 * down, arrows choose, Esc cancels. A finger needs `boardRef` on the board.
 */
export function useBoardDrag(onDrop: (card: Card, state: IssueState) => void) {
  const [drag, setDrag] = useState<Drag | null>(null)
  const wasDragged = useRef(false)
  const press = useRef<Press | null>(null)

  const boardRef = useCallback<RefCallback<HTMLElement>>((board) => {
    if (board === null) return
    const keepStill = (event: TouchEvent) => {
      if (press.current?.isHeld && event.cancelable) event.preventDefault()
    }
    const keepMenuAway = (event: PointerEvent) => {
      // Even if the finger no longer rests, since some browsers ask when it leaves.
      if (event.pointerType === 'touch') event.preventDefault()
    }
    // React's listeners are passive; these are set before the touch, since a browser that knows of none then scrolls.
    board.addEventListener('touchmove', keepStill, { passive: false })
    board.addEventListener('contextmenu', keepMenuAway)
    return () => {
      board.removeEventListener('touchmove', keepStill)
      board.removeEventListener('contextmenu', keepMenuAway)
      press.current?.end()
    }
  }, [])

  const onPointerDown = useCallback(
    (event: ReactPointerEvent, card: Card) => {
      const board = event.currentTarget.closest('.board')
      if (event.button !== 0 || !event.isPrimary || board === null) return
      const home = event.currentTarget.getBoundingClientRect()
      const frame = event.currentTarget.closest('.issues')?.getBoundingClientRect()
      wasDragged.current = false
      press.current?.end()
      press.current = followPress(event.nativeEvent, board, {
        onCarry(at, start) {
          wasDragged.current = true
          const over = stateUnder(at.x, at.y) ?? card.state
          const place = {
            left: home.left - (frame?.left ?? 0) + at.x - start.x,
            top: home.top - (frame?.top ?? 0) + at.y - start.y,
            width: home.width,
          }
          setDrag({ id: card.id, from: card.state, over, place })
        },
        onEnd(at) {
          setDrag(null)
          const state = at && stateUnder(at.x, at.y)
          if (state !== null && state !== card.state) onDrop(card, state)
        },
      })
    },
    [onDrop],
  )

  const onKeyDown = (event: KeyboardEvent<HTMLElement>, card: Card) => {
    const held = drag?.id === card.id ? drag : null
    if (event.key === ' ') {
      event.preventDefault()
      if (held === null) return setDrag({ id: card.id, from: card.state, over: card.state, place: null })
      setDrag(null)
      if (held.over !== card.state) onDrop(card, held.over)
    } else if (held && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
      event.preventDefault()
      const next = STATES[STATES.indexOf(held.over) + (event.key === 'ArrowRight' ? 1 : -1)]
      if (next !== undefined) setDrag({ ...held, over: next })
    } else if (held && event.key === 'Escape') {
      event.preventDefault()
      event.stopPropagation()
      setDrag(null)
    } else if (event.key.startsWith('Arrow')) {
      event.preventDefault()
      moveFocus(event.currentTarget, event.key)
    }
  }

  /** Keeps the click that ends a drag from opening the card; the click of a key, which counts no clicks, still does. */
  const swallowClick = (event: MouseEvent) => {
    if (!wasDragged.current || event.detail === 0) return
    wasDragged.current = false
    event.preventDefault()
  }
  return { drag, boardRef, onPointerDown, onKeyDown, swallowClick }
}

function moveFocus(from: HTMLElement, key: string): void {
  const cardsOf = (place: Element | null | undefined): HTMLElement[] => [
    ...(place?.querySelectorAll<HTMLElement>('.board-card') ?? []),
  ]
  const columns = [...document.querySelectorAll('[data-column]')].filter((place) => cardsOf(place).length > 0)
  const position = columns.findIndex((place) => place.contains(from))
  const cards = cardsOf(columns[position])
  const index = cards.indexOf(from)
  if (key === 'ArrowDown' || key === 'ArrowUp') {
    cards[index + (key === 'ArrowDown' ? 1 : -1)]?.focus()
    return
  }
  const next = cardsOf(columns[position + (key === 'ArrowRight' ? 1 : -1)])
  next[Math.min(index, next.length - 1)]?.focus()
}
