import { useCallback, useState } from 'react'

export interface LoginUser {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly organizations: readonly string[]
}

const address = new URLSearchParams(window.location.search)

/** Names the storage, where one browser is to hold several replicas of its user; null for the browser's usual one. */
export const device = address.get('device')

const STORAGE_KEY = device === null ? 'tracker.user' : `tracker.user.${device}`

export async function fetchLoginUsers(): Promise<LoginUser[]> {
  const response = await fetch('/demo/users')
  if (!response.ok) throw new Error(`The list of demo users could not be loaded (${response.status}).`)
  const { users } = (await response.json()) as { users: LoginUser[] }
  return users
}

/** Asks for a fresh token; the replica calls it again whenever one runs out. */
export async function fetchToken(userId: string): Promise<string> {
  const response = await fetch('/demo/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: userId }),
  })
  if (!response.ok) throw new Error(`Logging in failed (${response.status}).`)
  const { token } = (await response.json()) as { token: string }
  return token
}

/** Returns the user that the address asks for, where another is logged in; null where it asks for none. */
export function wantedUser(): string | null {
  const wanted = address.get('as')
  return wanted === readUser()?.id ? null : wanted
}

function readUser(): LoginUser | null {
  const stored = localStorage.getItem(STORAGE_KEY)
  return stored === null ? null : (JSON.parse(stored) as LoginUser)
}

/** The chosen demo user, kept across reloads so that the replica opens offline too. */
export function useSession() {
  const [user, setUser] = useState(() => (wantedUser() === null ? readUser() : null))
  const signIn = useCallback((chosen: LoginUser) => {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(chosen))
    setUser(chosen)
  }, [])
  const signOut = useCallback(() => {
    localStorage.removeItem(STORAGE_KEY)
    window.location.hash = ''
    setUser(null)
  }, [])
  return { user, signIn, signOut }
}
