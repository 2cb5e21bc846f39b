import { startReplicaWorker } from '../../../dist/client/worker.js'
import { folderSync } from '../../writing/folder-sync.ts'

startReplicaWorker(folderSync)
