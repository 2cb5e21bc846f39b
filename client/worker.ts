export { startReplicaWorker } from './tabs/start-replica-worker.ts'
