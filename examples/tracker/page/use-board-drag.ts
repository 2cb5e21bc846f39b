import { type KeyboardEvent, type PointerEvent as ReactPointerEvent, useCallback, useRef, useState } from 'react'
import { type IssueState, issueState } from '../schema.ts'
import type { BoardRow } from './board-query.ts'

export interface Drag {
  readonly id: string
  readonly from: IssueState
  readonly over: IssueState
  /** Where the pointer has taken it, in CSS pixels within `.issues`; null while keys move it. */
  readonly place: { readonly left: number; readonly top: number; readonly width: number } | null
}

type Card = Pick<BoardRow, 'id' | 'state'>

/** A click wobbles less than this. */
const THRESHOLD_PX = 5
const STATES: readonly IssueState[] = issueState.enumValues

function stateUnder(x: number, y: number): IssueState | null {
  const column = document.elementsFromPoint(x, y).find((element) => element.matches('[data-column]'))
  return STATES.find((state) => state === column?.getAttribute('data-column')) ?? null
}

/** Moves cards from state to state, by pointer, or by keys: Space picks up and puts down, arrows choose, Esc lets be. */
export function useBoardDrag(onDrop: (card: Card, state: IssueState) => void) {
  const [drag, setDrag] = useState<Drag | null>(null)
  const wasDragged = useRef(false)

  const onPointerDown = useCallback(
    (event: ReactPointerEvent, card: Card) => {
      // A finger scrolls.
      if (event.button !== 0 || event.pointerType === 'touch') return
      const start = { x: event.clientX, y: event.clientY }
      const home = event.currentTarget.getBoundingClientRect()
      const frame = event.currentTarget.closest('.issues')?.getBoundingClientRect()
      wasDragged.current = false
      const onMove = ({ clientX, clientY }: PointerEvent) => {
        const moved = { x: clientX - start.x, y: clientY - start.y }
        if (!wasDragged.current && Math.hypot(moved.x, moved.y) < THRESHOLD_PX) return
        wasDragged.current = true
        const over = stateUnder(clientX, clientY) ?? card.state
        const place = {
          left: home.left - (frame?.left ?? 0) + moved.x,
          top: home.top - (frame?.top ?? 0) + moved.y,
          width: home.width,
        }
        setDrag({ id: card.id, from: card.state, over, place })
      }
      const end = () => {
        window.removeEventListener('pointermove', onMove)
        window.removeEventListener('pointerup', onUp)
        window.removeEventListener('pointercancel', end)
        setDrag(null)
      }
      const onUp = ({ clientX, clientY }: PointerEvent) => {
        end()
        const state = wasDragged.current ? stateUnder(clientX, clientY) : null
        if (state !== null && state !== card.state) onDrop(card, state)
      }
      window.addEventListener('pointermove', onMove)
      window.addEventListener('pointerup', onUp)
      window.addEventListener('pointercancel', end)
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

  /** The click that ends a drag opens nothing. */
  const swallowClick = (event: { preventDefault(): void }) => {
    if (!wasDragged.current) return
    wasDragged.current = false
    event.preventDefault()
  }
  return { drag, onPointerDown, onKeyDown, swallowClick }
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
