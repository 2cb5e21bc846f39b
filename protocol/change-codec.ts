import type { Change } from './change.ts'
import type { WireChange } from './frames-down.ts'

/** Encodes a change for the wire; its `JSON.stringify` is the fragment that frames share. */
export function encodeChange(change: Change): WireChange {
  switch (change.op) {
    case 'insert':
      return { o: 'i', t: change.table, a: change.audience, d: change.data }
    case 'update':
      return { o: 'u', t: change.table, a: change.audience, k: change.key, d: change.data }
    case 'delete':
      return { o: 'd', t: change.table, a: change.audience, k: change.key }
    case 'truncate':
      return { o: 't', t: change.table }
  }
}

export function decodeChange(wire: WireChange): Change {
  switch (wire.o) {
    case 'i':
      return { op: 'insert', table: wire.t, audience: wire.a, data: wire.d }
    case 'u':
      return { op: 'update', table: wire.t, audience: wire.a, key: wire.k, data: wire.d }
    case 'd':
      return { op: 'delete', table: wire.t, audience: wire.a, key: wire.k }
    case 't':
      return { op: 'truncate', table: wire.t, audience: null }
  }
}
