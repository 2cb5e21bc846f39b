export * from '../sync.ts'
