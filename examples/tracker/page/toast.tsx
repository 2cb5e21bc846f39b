import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react'

export interface ToastMessage {
  readonly text: string
  readonly kind?: 'error'
  readonly action?: { readonly label: string; readonly onClick: () => void }
}

const SHOWN_MS = 8_000

const ToastContext = createContext<(message: ToastMessage) => void>(() => {})

/** Shows a message for a few seconds, below everything else; a new message replaces the one before. */
export const useToast = () => useContext(ToastContext)

export function ToastProvider({ children }: { children: ReactNode }) {
  const [message, setMessage] = useState<ToastMessage | null>(null)
  const show = useCallback((next: ToastMessage) => setMessage(next), [])
  useEffect(() => {
    if (message === null) return
    const timer = setTimeout(() => setMessage(null), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [message])
  const { text, kind, action } = message ?? {}
  return (
    <ToastContext value={show}>
      {children}
      <div className="toast-place" role={kind === 'error' ? 'alert' : 'status'}>
        {message !== null && (
          <div className="toast" data-kind={kind}>
            <span>{text}</span>
            {action && (
              <button
                type="button"
                className="link"
                onClick={() => {
                  setMessage(null)
                  action.onClick()
                }}
              >
                {action.label}
              </button>
            )}
            <button type="button" className="link" aria-label="Dismiss" onClick={() => setMessage(null)}>
              ✕
            </button>
          </div>
        )}
      </div>
    </ToastContext>
  )
}
