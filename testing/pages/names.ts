import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { Hono } from 'hono'
import type { ReactNode } from 'react'
import type { Replica, TokenFunction } from 'tidemark/client'
import type { TableOptions } from 'tidemark/db'
import type { createMutationHandler } from 'tidemark/server'
import type { jwt, SyncWorker } from 'tidemark/workers'
import type { sync } from './sync.ts'

/**
 * What pieces of code in pages have from elsewhere: of libraries as it is, of the reader's own app as a type. Nothing here runs.
 */
export { createCollection } from '@tanstack/db'
export { eq, sql } from 'drizzle-orm'
export { pgTable, text } from 'drizzle-orm/pg-core'
export { drizzle } from 'drizzle-orm/pglite'
export { Hono } from 'hono'
export { openReplica } from 'tidemark/client'
export { action, defineSync, refuse, table } from 'tidemark/db'
export { useLiveQuery } from 'tidemark/react'
export { createSyncWorker, type SyncEnv } from 'tidemark/workers'
export { defineConfig } from 'vite'
export { z } from 'zod'
export * from './sync.ts'
export * as schema from './sync.ts'
export * as tables from './sync.ts'

export interface Issue {
  readonly id: string
  readonly title: string
}

// biome-ignore lint/suspicious/noExplicitAny: it stands for what a page leaves out, which is anything.
export declare const left: any
export declare const replica: Replica<typeof sync>
export declare const url: string
export declare const user: string
export declare const userId: string
export declare const token: TokenFunction
export declare const fetchToken: TokenFunction
export declare const login: ReturnType<typeof jwt>
export declare const progress: { value: number }
export declare const id: string
export declare const noteId: string
export declare const orgId: string
export declare const listId: string
export declare const lsn: string
export declare const mutationId: string
export declare const worker: SyncWorker
export declare const rows: readonly Issue[]
export declare const ISSUES: string
export declare const db: NodePgDatabase
export declare const app: Hono<{ Bindings: object }>
export declare const body: string
export declare const decideMutations: ReturnType<typeof createMutationHandler>
export declare function byOrg(column: PgColumn): TableOptions['audience']
export declare function show(message: string, rows: unknown): void
export declare function rename(context: object, args: { id: string; name: string }): Promise<void>
export declare function closeTicket(context: object, args: { ticket: number }): Promise<void>
export declare function mayClose(user: string, issue: string, env: object): Promise<boolean>
export declare function sendMail(id: string, args: unknown, env: object): Promise<void>
export declare function findSession(token: string, env: object): Promise<{ userId: string; expiresAtMs: number } | null>
export declare function Opening(props: { error: unknown; progress: unknown }): ReactNode
