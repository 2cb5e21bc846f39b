import { startReplicaWorker } from '../../dist/client/worker.js'

startReplicaWorker({ tables: {} })
