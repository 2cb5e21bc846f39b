import { startReplicaWorker } from 'tidemark/worker'
import { sync } from '../sync.ts'

startReplicaWorker(sync)
