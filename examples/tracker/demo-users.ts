import type { MemberRole } from './sync-tables.ts'

/** Organisations and people that the seed writes and the demo login offers. */
export interface DemoOrganization {
  readonly id: string
  readonly name: string
  readonly slug: string
}

export interface DemoUser {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly memberships: readonly { readonly organization: DemoOrganization; readonly role: MemberRole }[]
}

const harbour: DemoOrganization = {
  id: '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0001',
  name: 'Harbour & Pine',
  slug: 'harbour-pine',
}
const lumen: DemoOrganization = {
  id: '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0002',
  name: 'Lumen Transit',
  slug: 'lumen-transit',
}
const fieldnote: DemoOrganization = {
  id: '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0003',
  name: 'Fieldnote',
  slug: 'fieldnote',
}

export const demoOrganizations = [harbour, lumen, fieldnote] as const

function user(number: number, name: string, email: string, ...roles: [DemoOrganization, MemberRole][]): DemoUser {
  const id = `7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d${String(number).padStart(4, '0')}`
  return { id, name, email, memberships: roles.map(([organization, role]) => ({ organization, role })) }
}

export const demoUsers: readonly DemoUser[] = [
  user(1, 'Ada Lindqvist', 'ada@harbour-pine.example', [harbour, 'owner']),
  user(2, 'Bruno Carvalho', 'bruno@harbour-pine.example', [harbour, 'admin']),
  user(3, 'Chidi Okafor', 'chidi@harbour-pine.example', [harbour, 'member']),
  user(4, 'Dana Weiss', 'dana@weiss-consulting.example', [harbour, 'member'], [fieldnote, 'member']),
  user(5, 'Elif Kaya', 'elif@harbour-pine.example', [harbour, 'guest']),
  user(6, 'Farid Rahimi', 'farid@lumen-transit.example', [lumen, 'owner']),
  user(7, 'Grace Whitfield', 'grace@lumen-transit.example', [lumen, 'admin']),
  user(8, 'Hiro Tanabe', 'hiro@lumen-transit.example', [lumen, 'member']),
  user(9, 'Ines Moreau', 'ines@lumen-transit.example', [lumen, 'member']),
  user(10, 'Jonas Feld', 'jonas@fieldnote.example', [fieldnote, 'owner']),
  user(11, 'Kamala Rao', 'kamala@fieldnote.example', [fieldnote, 'member']),
  user(12, 'Liam Doyle', 'liam@fieldnote.example', [fieldnote, 'guest']),
]
