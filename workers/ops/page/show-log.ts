import type { LoggedAction, OperatorAction, OperatorEvent, SnapshotView } from '../../operations-contract.ts'
import { ago } from './ago.ts'
import { h, tableOf } from './dom.ts'
import { duration, short } from './format.ts'
import { badge } from './show-capture.ts'

export function showSnapshots(snapshots: readonly SnapshotView[], ask: (action: OperatorAction) => void): HTMLElement {
  const rows = snapshots.map(({ audience, atMs, ms, fault, isDropped }) => [
    h('code', { title: audience }, short(audience, 40)),
    ago(atMs),
    duration(ms),
    fault !== null ? badge('fail', fault) : isDropped ? 'dropped' : badge('ok', 'built'),
    h('button', { type: 'button', disabled: isDropped, click: () => ask({ kind: 'drop-snapshot', audience }) }, 'Drop'),
  ])
  return tableOf(['audience', 'built', 'took', 'state', ''], rows, 'None was built yet.')
}

export function showEvents(events: readonly OperatorEvent[]): HTMLElement {
  return tableOf(
    ['when', 'where', 'what'],
    events.map(({ atMs, source, text }) => [ago(atMs), source, text]),
    'Nothing went wrong.',
  )
}

export function showActions(actions: readonly LoggedAction[]): HTMLElement {
  const rows = actions.map(({ atMs, by, action, outcome, said }) => [
    ago(atMs),
    by,
    h(
      'span',
      {},
      action.kind,
      'client' in action ? h('code', { title: action.client }, ` ${short(action.client, 12)}`) : null,
    ),
    badge(outcome === 'failed' ? 'fail' : outcome === 'pending' || outcome === 'begun' ? 'warn' : 'ok', outcome),
    said,
  ])
  return tableOf(['when', 'who', 'what', 'outcome', 'did'], rows, 'No operator has done anything yet.')
}
