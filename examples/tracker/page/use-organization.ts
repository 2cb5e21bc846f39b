import { useCallback, useState } from 'react'
import { useLiveQuery } from 'tidemark/react'
import { ORGANIZATIONS, type OrganizationRow } from './workspace-query.ts'

export interface OrganizationChoice {
  readonly organizations: readonly OrganizationRow[]
  /** Null for all organisations. */
  readonly current: string | null
  choose(id: string | null): void
}

/** The organisation that the user looks at, remembered for them in this browser. */
export function useOrganization(userId: string): OrganizationChoice {
  const storageKey = `tracker.organization.${userId}`
  const [chosen, setChosen] = useState(() => localStorage.getItem(storageKey))
  const organizations = useLiveQuery<OrganizationRow>(ORGANIZATIONS).rows
  const choose = useCallback(
    (id: string | null) => {
      if (id === null) localStorage.removeItem(storageKey)
      else localStorage.setItem(storageKey, id)
      setChosen(id)
    },
    [storageKey],
  )
  // The user may have left it since.
  const isHeld = organizations === null || organizations.some(({ id }) => id === chosen)
  return { organizations: organizations ?? [], current: isHeld ? chosen : null, choose }
}
