import { randomUUID } from 'node:crypto'
import { Zero } from '@rocicorp/zero'
import { queries, schema } from './zero-schema.mjs'

/** A client of Zero in a process of its own; it answers as `tidemark-client.ts` does. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6
let rows = []
let onRows = () => {}

function open({ url, groups, wanted }) {
  const startedMs = nowMs()
  const zero = new Zero({
    schema,
    userID: null,
    cacheURL: url,
    kvStore: 'mem',
    logLevel: 'error',
    storageKey: randomUUID(),
  })
  const query = groups.length === 1 ? queries.byGroup({ grp: groups[0] }) : queries.all()
  let isReady = false
  zero.materialize(query).addListener((data, type) => {
    rows = data
    if (!isReady && type === 'complete' && data.length === wanted) {
      isReady = true
      process.send({ ready: nowMs() - startedMs })
    }
    onRows()
  })
}

/** Notes when each update is first seen; all come in the order in which they were made. */
function watch({ ids, first }) {
  const atMs = []
  const places = new Map(rows.map(({ id }, place) => [id, place]))
  onRows = () => {
    const seenMs = nowMs()
    while (atMs.length < ids.length && rows[places.get(ids[atMs.length])]?.seq === first + atMs.length)
      atMs.push(seenMs)
    if (atMs.length < ids.length) return
    onRows = () => {}
    process.send({ arrivals: atMs })
  }
  process.send({ watching: true })
}

process.on('message', (order) => (order.do === 'open' ? open(order) : watch(order)))
process.on('disconnect', () => process.exit(0))
