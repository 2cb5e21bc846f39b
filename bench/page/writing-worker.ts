import { startReplicaWorker } from '../../dist/client/worker.js'
import { sync } from '../../testing/writing-oracle/app/sync.ts'

startReplicaWorker(sync)
