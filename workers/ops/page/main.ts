import type { OperatorAction, SyncOperations } from '../../operations-contract.ts'
import { ago, noteServerTime } from './ago.ts'
import { logIn, logOut, RequestFault, readState, readSync, type State } from './api.ts'
import { confirmAction } from './confirm-action.ts'
import { h, Part } from './dom.ts'
import { Plots } from './plots.ts'
import { seriesOf } from './series.ts'
import { badge, showChecks, showFindings, showMigrations, showOutcomes, showSlot, showTiles } from './show-capture.ts'
import { showActions, showEvents, showSnapshots } from './show-log.ts'
import { showSubscribers, showSync } from './show-sync.ts'

const POLL_MS = 3_000
const SPANS: readonly (readonly [ms: number, label: string])[] = [
  [60 * 60_000, '1 h'],
  [6 * 60 * 60_000, '6 h'],
]

const root = document.getElementById('root') ?? document.body

function showLogin(message: string): void {
  const token = h('input', { type: 'password', name: 'token', required: true, autocomplete: 'current-password' })
  const name = h('input', {
    type: 'text',
    name: 'name',
    maxlength: '60',
    autocomplete: 'username',
    placeholder: 'for the log',
  })
  const said = h('p', { class: 'said', role: 'status' }, message)
  const form = h(
    'form',
    { class: 'login' },
    h('h1', {}, 'Tidemark operations'),
    // Browsers look for the name before the secret.
    h('label', {}, 'Your name', name),
    h('label', {}, 'Admin token', token),
    h('button', { type: 'submit', class: 'strong' }, 'Log in'),
    said,
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    logIn(token.value, name.value.trim())
      .then(() => watch())
      .catch((error: Error) => {
        said.textContent = error.message
      })
  })
  root.replaceChildren(form)
  token.focus()
}

/** Draws the page and keeps it as the server is, while somebody looks at it. */
function watch(): void {
  let chosen: string | null = null
  let span = SPANS[0]?.[0] ?? POLL_MS
  let last: State | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let isOver = false

  const refresh = () => {
    clearTimeout(timer)
    void poll()
  }
  const ask = (action: OperatorAction) => confirmAction(action, refresh)
  const choose = (name: string) => {
    chosen = name
    if (last !== null) show(last)
    refresh()
  }

  const header = new Part<{ status: State['health']['status']; by: string | null }>(
    h('div', { class: 'verdict' }),
    ({ status, by }) => [
      badge(status, { ok: 'all fine', warn: 'look at it', fail: 'failing' }[status]),
      h('span', { class: 'note' }, by === null ? '' : by),
      h('button', { type: 'button', click: () => void logOut().finally(() => leave('')) }, 'Log out'),
    ],
  )
  const fresh = h('span', { class: 'note' })
  const plots = new Plots()
  const spans = h(
    'div',
    { class: 'buttons spans' },
    ...SPANS.map(([ms, label]) =>
      h(
        'button',
        {
          type: 'button',
          'aria-pressed': String(ms === span),
          click: (event: Event) => {
            span = ms
            for (const button of spans.children)
              button.setAttribute('aria-pressed', String(button === event.currentTarget))
            if (last !== null) show(last)
          },
        },
        label,
      ),
    ),
  )
  const part = <Shown>(draw: (shown: Shown) => readonly (Node | string)[]) => new Part<Shown>(h('div'), draw)
  const findings = part<State['health']['checks']>((shown) => [showFindings(shown)])
  const checks = part<State['health']['checks']>((shown) => [showChecks(shown)])
  const tiles = new Part<Pick<State, 'health' | 'minutes'>>(h('div', { class: 'tiles' }), showTiles)
  const slot = part<State>(showSlot)
  const controls = part<boolean>((isPaused) => [
    h(
      'div',
      { class: 'buttons' },
      isPaused
        ? h('button', { type: 'button', click: () => ask({ kind: 'resume-capture' }) }, 'Resume capture')
        : h('button', { type: 'button', click: () => ask({ kind: 'pause-capture', minutes: 60 }) }, 'Pause capture'),
      h(
        'button',
        { type: 'button', disabled: isPaused, click: () => ask({ kind: 'rebuild-slot' }) },
        'Rebuild the slot',
      ),
    ),
  ])
  const outcomes = new Part<Pick<State, 'health'>>(h('div', { class: 'columns' }), showOutcomes)
  const subscribers = part<{ of: State['subscribers']; chosen: string | null }>(({ of, chosen }) => [
    showSubscribers(of, chosen, choose),
  ])
  const sync = part<{ name: string; of: SyncOperations | null }>(({ name, of }) => [
    h('h3', {}, name),
    ...(of === null ? [h('p', { class: 'empty' }, 'Asking it …')] : showSync(of, ask)),
  ])
  const migrations = part<Pick<State, 'health'>>((state) => [showMigrations(state)])
  const snapshots = part<State['snapshots']>((shown) => [showSnapshots(shown, ask)])
  const events = part<State['events']>((shown) => [showEvents(shown)])
  const actions = part<State['actions']>((shown) => [showActions(shown)])

  const section = (title: string, ...content: readonly (Node | string)[]) =>
    h('section', {}, h('h2', {}, title), ...content)
  root.replaceChildren(
    h('header', {}, h('div', {}, h('h1', {}, 'Tidemark operations'), fresh), header.element),
    h(
      'main',
      {},
      section('Findings', findings.element, h('details', {}, h('summary', {}, 'All checks'), checks.element)),
      section('Now', tiles.element),
      section('Over time', spans, plots.element),
      section('Capture', slot.element, controls.element),
      section(
        'SyncDOs',
        h(
          'p',
          { class: 'note' },
          'Work that is not sent is as they told it with their last leases, which are up to ten minutes old.',
        ),
        subscribers.element,
        sync.element,
      ),
      section('Mutations', outcomes.element),
      section('Migrations by client', migrations.element),
      section('Snapshots', snapshots.element),
      section('Recent errors and events', events.element),
      section('What operators did', actions.element),
    ),
  )

  function show(state: State): void {
    last = state
    noteServerTime(state.nowMs)
    const { health, by } = state
    document.title = `${health.status === 'ok' ? '' : `${health.status}: `}Tidemark operations`
    header.show({ status: health.status, by })
    fresh.replaceChildren('as of ', ago(state.nowMs))
    findings.show(health.checks.filter(({ status }) => status !== 'ok'))
    checks.show(health.checks)
    tiles.show({ health, minutes: state.minutes.filter(({ rows }) => rows > 0).slice(-1) })
    plots.show(seriesOf(state.minutes, state.nowMs, span))
    slot.show({ ...state, nowMs: 0, minutes: [], subscribers: [], events: [], actions: [] })
    controls.show(state.pause !== null)
    outcomes.show({ health })
    chosen ??= state.subscribers[0]?.name ?? null
    subscribers.show({ of: state.subscribers, chosen })
    migrations.show({ health })
    snapshots.show(state.snapshots)
    events.show(state.events)
    actions.show(state.actions)
  }

  async function poll(): Promise<void> {
    if (isOver || document.hidden) return
    try {
      show(await readState())
      const name = chosen
      const of = name === null ? null : await readSync(name)
      if (name !== null && name === chosen) sync.show({ name, of: of && steady(of) })
    } catch (error) {
      if (error instanceof RequestFault && error.isLoggedOut) return leave('The session has ended; log in again.')
      fresh.textContent = `not reached: ${error instanceof Error ? error.message : 'no answer'}`
    }
    clearTimeout(timer)
    if (!isOver) timer = setTimeout(() => void poll(), POLL_MS)
  }

  function leave(message: string): void {
    isOver = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', refresh)
    showLogin(message)
  }

  document.addEventListener('visibilitychange', refresh)
  refresh()
}

/** Without what goes on by itself, so that buttons stay while nothing else is new. */
const steady = (sync: SyncOperations): SyncOperations => ({
  ...sync,
  nowMs: 0,
  checks: sync.checks.filter(({ status }) => status !== 'ok'),
})

readState().then(
  () => watch(),
  () => showLogin(''),
)
