import type { HealthCheck } from '../../health-contract.ts'
import { ago } from './ago.ts'
import type { State } from './api.ts'
import { h, tableOf } from './dom.ts'
import { bytes, count, duration, place, sayConsumers, sayWrite, short } from './format.ts'

const SYMBOLS = { ok: '●', warn: '▲', fail: '■' } as const

export const badge = (status: HealthCheck['status'], text: string = status): HTMLElement =>
  h('span', { class: `badge ${status}` }, `${SYMBOLS[status]} ${text}`)

/** The checks that are not fine, each with its remedy. */
export function showFindings(checks: readonly HealthCheck[]): HTMLElement {
  const ill = checks.filter(({ status }) => status !== 'ok')
  if (ill.length === 0) return h('p', { class: 'fine' }, 'Every check is fine.')
  const said = ill.map(({ name, status, message, value, unit }) =>
    h('li', {}, badge(status, name), h('span', { class: 'value' }, ` ${figure(value, unit)}`), h('p', {}, message)),
  )
  return h('ul', { class: 'findings' }, ...said)
}

export function showChecks(checks: readonly HealthCheck[]): HTMLElement {
  const rows = checks.map(({ name, status, value, threshold, unit }) => [
    badge(status, name),
    figure(value, unit),
    threshold === null ? '–' : figure(threshold, unit),
  ])
  return tableOf(['check', 'value', 'limit'], rows, '')
}

function figure(value: HealthCheck['value'], unit: string | null): string {
  if (value === null) return '–'
  if (typeof value === 'string') return short(value, 60)
  if (unit === 'ms') return duration(value)
  if (unit?.startsWith('bytes')) return `${bytes(value)}${unit.slice('bytes'.length)}`
  return `${count(value)}${unit === null ? '' : ` ${unit}`}`
}

/** The figures that are looked at first. */
export function showTiles({ health, minutes }: Pick<State, 'health' | 'minutes'>): readonly HTMLElement[] {
  const { figures } = health
  const last = minutes.findLast(({ rows }) => rows > 0)
  const committed = figures.mutations.committed ?? 0
  const all = Object.values(figures.mutations).reduce((sum, value) => sum + value, 0)
  const tile = (label: string, value: string, note: string) =>
    h(
      'div',
      { class: 'tile' },
      h('span', { class: 'label' }, label),
      h('strong', {}, value),
      h('span', { class: 'note' }, note),
    )
  return [
    tile('Last minute with changes', count(last?.rows ?? 0), `rows in ${count(last?.transactions ?? 0)} transactions`),
    tile('Stored lag', duration(figures.storedLagMs), 'longest in 5 min'),
    tile('Delivered lag', duration(figures.deliveredLagMs), 'longest in 5 min'),
    tile(
      'Log held back',
      bytes(figures.retainedWalBytes),
      figures.safeWalBytes === null ? 'not bounded' : `${bytes(figures.safeWalBytes)} left`,
    ),
    tile('SyncDOs', count(figures.subscribers), `${count(figures.subscribersBehind)} behind`),
    tile(
      'Unsent work',
      count(figures.unsent.lateClients),
      figures.unsent.oldestMs === null ? 'clients late' : `clients, up to ${duration(figures.unsent.oldestMs)}`,
    ),
    tile('Mutations', count(committed), `${count(all - committed)} refused`),
    tile('Stuck', count(figures.stuckMutations), 'tried in vain'),
  ]
}

/** Slot, epoch and pause. */
export function showSlot(state: State): readonly HTMLElement[] {
  const { health, pause, slotName, figuresAtMs, nextCycleAtMs } = state
  const { figures } = health
  const fact = (label: string, value: Node | string) => [h('dt', {}, label), h('dd', {}, value)]
  const slot = health.checks.find(({ name }) => name === 'slot')
  return [
    h(
      'dl',
      {},
      ...fact('capture', pause === null ? 'runs' : h('span', {}, `paused by ${pause.by}, ends `, ago(pause.untilMs))),
      ...fact(
        'slot',
        h(
          'span',
          {},
          h('code', {}, slotName),
          ' ',
          badge(slot?.status ?? 'ok', slot?.value === 'true' ? 'present' : String(slot?.value ?? 'not looked at')),
        ),
      ),
      ...fact('head', h('code', {}, place(health.head))),
      ...fact('epoch', h('code', {}, health.epoch ?? '–')),
      ...fact('decoder', `${health.decoder ?? '–'}${health.decoderReason ? `: ${health.decoderReason}` : ''}`),
      ...fact('log kept from', h('code', {}, place(figures.restartLsn))),
      ...fact('oldest open write', sayWrite(figures.oldestWrite)),
      ...fact('consumers', sayConsumers(figures.consumers)),
      ...fact('last cycle', ago(health.lastCycleAt === null ? null : Date.parse(health.lastCycleAt))),
      ...fact('next cycle', ago(nextCycleAtMs)),
      ...fact(
        'figures of the database',
        figuresAtMs === null ? 'not read since this object began' : h('span', {}, 'read ', ago(figuresAtMs)),
      ),
      ...fact('counts since', ago(figures.sinceMs)),
    ),
  ]
}

/** How mutations ended, and pushes that failed as a whole. */
export function showOutcomes({ health }: Pick<State, 'health'>): readonly HTMLElement[] {
  const { mutations, faults } = health.figures
  const bars = (title: string, counts: Readonly<Record<string, number>>, empty: string) => {
    const most = Math.max(1, ...Object.values(counts))
    const rows = Object.entries(counts).sort(([, a], [, b]) => b - a)
    return h(
      'div',
      {},
      h('h3', {}, title),
      rows.length === 0 ? h('p', { class: 'empty' }, empty) : null,
      ...rows.map(([kind, value]) =>
        h(
          'div',
          { class: 'bar' },
          h('span', {}, kind),
          h('progress', { max: String(most), value: String(value), 'aria-label': kind }),
          h('strong', {}, count(value)),
        ),
      ),
    )
  }
  return [
    bars('Decided mutations', mutations, 'None since this object began.'),
    bars('Pushes that failed as a whole', faults, 'None since this object began.'),
  ]
}

/** Who holds which version of the schema. */
export function showMigrations({ health }: Pick<State, 'health'>): HTMLElement {
  const rows = health.figures.clients.map(({ version, migration, count: clients, waiting, failing }) => [
    String(version),
    migration ?? 'does not say',
    count(clients),
    waiting === 0 ? '0' : badge('warn', count(waiting)),
    failing === 0 ? '0' : badge('fail', count(failing)),
  ])
  return tableOf(
    ['version', 'last migration its page knows', 'clients', 'waiting', 'failing'],
    rows,
    'No client was heard of within 30 days.',
  )
}
