import { startReplicaWorker } from '../../dist/client/worker.js'
import { sync } from '../../examples/tracker/sync.ts'

startReplicaWorker(sync)
