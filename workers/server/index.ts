export {
  type Consumed,
  type ConsumeOptions,
  type ConsumerDatabase,
  consumeChanges,
  removeConsumer,
} from './consume-changes.ts'
export type { PgClient } from './driver-sessions.ts'
export { createMutationHandler } from './handle-mutations.ts'
export type { AppAction, AppActionContext, AppActions, MutationHandlerOptions } from './options.ts'
export type { ConsumedChange } from './read-changes.ts'
export type { ChangesMessage, QueuedChange } from './rules/cut-messages.ts'
export { type NodeRequest, type NodeResponse, toNode } from './to-node.ts'
export { type ChangesQueue, toQueue } from './to-queue.ts'
