import type { ClientView, OperatorAction, SubscriberView, SyncOperations } from '../../operations-contract.ts'
import { ago } from './ago.ts'
import { h, tableOf } from './dom.ts'
import { bytes, count, duration, place, short } from './format.ts'
import { badge } from './show-capture.ts'

type Ask = (action: OperatorAction) => void

export function showSubscribers(
  subscribers: readonly SubscriberView[],
  chosen: string | null,
  choose: (name: string) => void,
): HTMLElement {
  const rows = subscribers.map(({ name, audiences, clients, head, behindMs, unsent }) => [
    h(
      'button',
      {
        type: 'button',
        class: 'link',
        'aria-pressed': String(name === chosen),
        title: name,
        click: () => choose(name),
      },
      short(name, 32),
    ),
    count(audiences),
    count(clients),
    h('code', {}, place(head)),
    behindMs === null ? 'no' : badge(behindMs > 60_000 ? 'warn' : 'ok', duration(behindMs)),
    unsent === null || unsent.oldestMs === null ? '–' : badge('warn', duration(unsent.oldestMs)),
  ])
  return tableOf(['SyncDO', 'audiences', 'clients', 'told up to', 'behind', 'oldest unsent'], rows, 'None subscribes.')
}

export function showSync(sync: SyncOperations, ask: Ask): readonly HTMLElement[] {
  const ill = sync.checks.filter(({ status }) => status !== 'ok')
  const audiences = sync.audiences.map(({ name, start, sessions }) => [
    h('code', { title: name }, short(name, 40)),
    count(sessions),
    start === null ? badge('warn', 'waits to join') : h('code', {}, place(start)),
  ])
  return [
    h(
      'p',
      { class: 'facts' },
      badge(sync.status),
      ` head ${place(sync.head)}, ${count(sync.sockets)} sockets, log of ${bytes(sync.logChars)}, lease ends `,
      ago(sync.leaseUntilMs),
    ),
    ...(ill.length === 0
      ? []
      : [
          h(
            'ul',
            { class: 'findings' },
            ...ill.map(({ name, status, message }) => h('li', {}, badge(status, name), h('p', {}, message))),
          ),
        ]),
    h('h3', {}, `Clients (${count(sync.clientCount)})`),
    tableOf(
      ['client', 'user', 'state', 'at', 'version', 'unsent', 'last error', ''],
      sync.clients.map((client) => clientRow(client, sync.name, ask)),
      'None is known here.',
    ),
    h('h3', {}, `Audiences (${count(sync.audienceCount)})`),
    tableOf(['audience', 'sessions', 'in the log from'], audiences, 'None.'),
  ]
}

function clientRow(
  client: ClientView,
  object: string | null,
  ask: Ask,
): readonly (HTMLElement | string | HTMLElement[])[] {
  const { client: id, userId, phase, position, version, migration, lastError, unsentSinceMs, schemaFault } = client
  const state = client.isToLoad ? badge('warn', 'is to load anew') : phase === null ? 'away' : phase
  const work = [
    unsentSinceMs === null ? null : h('span', {}, 'since ', ago(unsentSinceMs)),
    client.failedMutations === 0 ? null : badge('warn', `${count(client.failedMutations)} refused`),
  ].filter((part) => part !== null)
  const faults = [
    lastError === null ? null : h('span', { title: lastError.message }, `${lastError.kind} `, ago(lastError.atMs)),
    schemaFault === null ? null : h('span', {}, badge('fail', short(schemaFault, 40))),
    client.refusedTables === 0 ? null : badge('fail', `${count(client.refusedTables)} tables refused`),
  ].filter((part) => part !== null)
  const holds = version === null ? '–' : `${version}${client.waiting > 0 ? `, ${client.waiting} to load` : ''}`
  return [
    h('code', { title: id }, short(id, 12)),
    h('span', { title: userId ?? '' }, short(userId, 16)),
    state,
    h('code', {}, place(position)),
    h('span', { title: migration ?? '' }, holds),
    work.length === 0 ? '–' : work,
    faults.length === 0 ? '–' : faults,
    h(
      'div',
      { class: 'buttons' },
      h(
        'button',
        {
          type: 'button',
          disabled: client.isToLoad,
          click: () => ask({ kind: 'rehydrate-client', client: id, object }),
        },
        'Load anew',
      ),
      h(
        'button',
        {
          type: 'button',
          disabled: !client.isConnected,
          click: () => ask({ kind: 'disconnect-client', client: id, object }),
        },
        'Disconnect',
      ),
    ),
  ]
}
