import type { ReactNode } from 'react'

/** One value out of a few, named by its label alone; a quiet one looks like text until it is wanted. */
export function Choice(props: {
  label: string
  value: string
  isQuiet?: boolean
  onChange: (value: string) => void
  children: ReactNode
}) {
  return (
    <select
      className={props.isQuiet ? 'choice quiet' : 'choice'}
      aria-label={props.label}
      title={props.label}
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
    >
      {props.children}
    </select>
  )
}
