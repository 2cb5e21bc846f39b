export type { PgClient } from './driver-sessions.ts'
export { createMutationHandler } from './handle-mutations.ts'
export type { AppAction, AppActionContext, AppActions, MutationHandlerOptions } from './options.ts'
export { type NodeRequest, type NodeResponse, toNode } from './to-node.ts'
