import type { LoggedAction, OperatorAction, ReplicationOperations, SyncOperations } from '../../operations-contract.ts'

export type State = ReplicationOperations & { readonly by: string | null }

/** An answer that is not as wished; `isLoggedOut` where the session has ended. */
export class RequestFault extends Error {
  readonly isLoggedOut: boolean

  constructor(message: string, isLoggedOut: boolean) {
    super(message)
    this.isLoggedOut = isLoggedOut
  }
}

/** The page lies at …/ops, and what it asks for below it. */
async function ask<Answer>(path: string, body?: object): Promise<Answer> {
  const post = body && {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'x-tidemark-ops': '1' },
  }
  const answer = await fetch(`ops/${path}`, { ...post, credentials: 'same-origin', cache: 'no-store' })
  const said = await answer.json().catch(() => null)
  if (answer.ok || said?.outcome !== undefined) return said
  throw new RequestFault(said?.message ?? `The server answered ${answer.status}.`, answer.status === 401)
}

export const logIn = (token: string, name: string): Promise<{ by: string }> =>
  ask('login', { token, ...(name === '' ? {} : { name }) })
export const logOut = (): Promise<object> => ask('logout', {})
export const readState = (): Promise<State> => ask('state')
export const readSync = (object: string): Promise<SyncOperations> => ask(`sync?object=${encodeURIComponent(object)}`)
/** The id makes a request that is sent again, as after a lost answer, the same one. */
export const operate = (action: OperatorAction, id: string): Promise<LoggedAction> => ask('actions', { ...action, id })
