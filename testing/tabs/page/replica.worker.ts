import { startReplicaWorker } from '../../../dist/client/worker.js'
import { sync } from './sync.ts'

startReplicaWorker(sync)
