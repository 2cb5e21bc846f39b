import type { ReactNode } from 'react'
import { Wordmark } from './wordmark.tsx'

interface NoticeAction {
  readonly label: string
  readonly onClick: () => void
}

/** A whole page that says one thing, and what to do about it. */
export function Notice(props: {
  title: string
  children: ReactNode
  action?: NoticeAction
  secondary?: NoticeAction
  kind?: string
}) {
  return (
    <main className="centred">
      <section className="card notice" role="alert" data-kind={props.kind}>
        <Wordmark />
        <h1>{props.title}</h1>
        <div className="muted">{props.children}</div>
        <div className="notice-actions">
          {props.action && (
            <button type="button" className="button primary" onClick={props.action.onClick}>
              {props.action.label}
            </button>
          )}
          {props.secondary && (
            <button type="button" className="button" onClick={props.secondary.onClick}>
              {props.secondary.label}
            </button>
          )}
        </div>
      </section>
    </main>
  )
}
