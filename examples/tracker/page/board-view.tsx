import { useCallback, useDeferredValue, useEffect, useRef } from 'react'
import { useLiveQuery } from 'tidemark/react'
import { type IssueState, issueState } from '../sync-tables.ts'
import { BoardCard } from './board-card.tsx'
import { type BoardRow, boardQuery } from './board-query.ts'
import { formatCount } from './format.ts'
import type { IssueFilter } from './issue-query.ts'
import { STATE_WORDS } from './issue-words.ts'
import { StateIcon } from './state-icon.tsx'
import { useBoardDrag } from './use-board-drag.ts'
import { useChangeState } from './use-change-state.ts'

const CARDS_PER_STATE = 30

/** Issues by state; a card is moved to another one by mouse, finger or keys. */
export function BoardView(props: { filter: IssueFilter; selected: string | null }) {
  const filter = useDeferredValue(props.filter)
  const { text, params } = boardQuery(filter, CARDS_PER_STATE)
  const { rows, error } = useLiveQuery<BoardRow>(text, params)
  const changeState = useChangeState()
  const moved = useRef<string | null>(null)
  const drop = useCallback(
    (card: { id: string; state: IssueState }, state: IssueState) => {
      moved.current = card.id
      void changeState(card, state)
    },
    [changeState],
  )
  const { drag, boardRef, ...handlers } = useBoardDrag(drop)
  // A card is a new element in its new column, so it is focused again.
  // biome-ignore lint/correctness/useExhaustiveDependencies: new rows may have brought it there.
  useEffect(() => {
    if (moved.current === null || document.activeElement !== document.body) return
    document.querySelector<HTMLElement>(`.board-card[href="#${moved.current}"]`)?.focus()
    moved.current = null
  }, [rows])

  if (error !== null)
    return (
      <p className="blank" role="alert">
        The board cannot be shown: {error.message}
      </p>
    )
  if (rows === null) return <p className="blank waiting">Reading the replica…</p>
  const byState = Map.groupBy(rows, ({ state }) => state)
  return (
    <div className="board" ref={boardRef}>
      {issueState.enumValues.map((state) => {
        const cards = byState.get(state) ?? []
        return (
          <section
            key={state}
            className="board-column"
            data-column={state}
            data-over={drag !== null && drag.over === state && drag.from !== state}
            aria-label={STATE_WORDS[state]}
          >
            <h2>
              <StateIcon state={state} /> {STATE_WORDS[state]}{' '}
              <span className="count">{formatCount(cards[0]?.of_state ?? 0)}</span>
            </h2>
            <div className="board-cards">
              {cards.map((row) => (
                <BoardCard
                  key={row.id}
                  row={row}
                  isSelected={row.id === props.selected}
                  drag={drag?.id === row.id ? drag : null}
                  {...handlers}
                />
              ))}
              {cards.length === 0 && <p className="muted board-empty">Nothing here.</p>}
              {(cards[0]?.of_state ?? 0) > cards.length && (
                <p className="muted board-empty">and {formatCount((cards[0]?.of_state ?? 0) - cards.length)} more</p>
              )}
            </div>
          </section>
        )
      })}
      <p className="visually-hidden" role="status">
        {drag !== null && drag.place === null && `Picked up. Now over ${STATE_WORDS[drag.over]}; Space puts it down.`}
      </p>
    </div>
  )
}
